import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { bringScript } from '../fixtures/bring-program.ts'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { initramfsSystem } from './initramfs-system.ts'

async function found(t: TestContext, programs: readonly string[], description: TreeDescription = {}): Promise<string> {
  const root = await madeTree(t, description)
  for (const program of programs) bringScript(root, `usr/bin/${program}`, 'true')
  return initramfsSystem(MachineTree.open(root)).value
}

const hooks = '/usr/share/libalpm/hooks'
const both = { [`${hooks}/90-mkinitcpio-install.hook`]: '', [`${hooks}/90-dracut-install.hook`]: '' }

test('the program that is installed makes it, whatever configuration is left of others', async (t) => {
  assert.equal(await found(t, ['dracut'], { '/etc/mkinitcpio.conf': '' }), 'dracut')
  assert.equal(await found(t, ['update-initramfs']), 'initramfs-tools')
  assert.equal(await found(t, ['booster']), 'booster')
  assert.equal(await found(t, ['mkinitcpio']), 'mkinitcpio')
})

test('in a copy without programs the configuration tells', async (t) => {
  assert.equal(await found(t, [], { '/etc/initramfs-tools/initramfs.conf': '' }), 'initramfs-tools')
  assert.equal(await found(t, [], { '/etc/dracut.conf.d/': '' }), 'dracut')
})

test('of two, the one that was chosen is used', async (t) => {
  const chosen = { ...both, '/etc/kernel/install.conf': '# layout\nlayout=bls\ninitrd_generator=dracut\n' }
  assert.equal(await found(t, ['mkinitcpio', 'dracut'], chosen), 'dracut')
})

test('of two, the one that runs when a kernel is installed is used', async (t) => {
  assert.equal(await found(t, ['mkinitcpio', 'booster'], { [`${hooks}/90-mkinitcpio-install.hook`]: '' }), 'mkinitcpio')
  const masked = { ...both, '/etc/pacman.d/hooks/90-mkinitcpio-install.hook': { link: '/dev/null' } }
  assert.equal(await found(t, ['mkinitcpio', 'dracut'], masked), 'dracut')
  assert.equal(await found(t, ['update-initramfs', 'dracut'], { '/etc/kernel/postinst.d/dracut': '' }), 'dracut')
})

test('of two that both run, neither is guessed', async (t) => {
  assert.equal(await found(t, ['mkinitcpio', 'dracut'], both), 'unknown')
  assert.equal(await found(t, ['mkinitcpio', 'dracut']), 'unknown')
})

test('a system that is not looked after here is named as such', async (t) => {
  assert.equal(await found(t, ['genkernel']), 'other')
  assert.equal(await found(t, []), 'unknown')
})
