import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { PciDevice } from '@exliar-vfio/points'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { pciDevice } from '../fixtures/pci-device.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { claimOf } from './claim.ts'
import { editModprobe } from './modprobe-config.ts'
import { editOverrideScript } from './override-script.ts'
import { editModuleList, vfioModules } from './vfio-modules.ts'

const gpu = pciDevice({ bdf: '0000:01:00.0', vendor_id: '10de', device_id: '1b80', driver: 'nvidia' })
const audio = pciDevice({ bdf: '0000:01:00.1', vendor_id: '10de', device_id: '10f0', driver: 'snd_hda_intel' })
const twin = pciDevice({ bdf: '0000:02:00.0', vendor_id: '10de', device_id: '1b80' })

async function modprobe(
  t: TestContext,
  files: TreeDescription,
  given: { all: PciDevice[]; chosen: PciDevice[] },
): Promise<string> {
  const tree = MachineTree.open(await madeTree(t, { 'etc/hostname': 'a' }, files))
  const drivers = given.chosen.flatMap(({ driver }) => driver ?? [])
  const [edit] = editModprobe(tree, claimOf(given.all, given.chosen), drivers)
  return edit?.text ?? 'unchanged'
}

test('ids are written only where nobody who is not selected has them, and without a space', async (t) => {
  const alone = await modprobe(t, {}, { all: [gpu, audio], chosen: [gpu, audio] })
  assert.match(alone, /^options vfio-pci ids=10de:1b80,10de:10f0 disable_vga=1 disable_idle_d3=1$/m)
  assert.doesNotMatch(alone, /^install/m)
  for (const name of ['drm', 'amdgpu', 'nouveau', 'radeon', 'nvidia', 'i915', 'xe', 'snd_hda_intel']) {
    assert.match(alone, new RegExp(`^softdep ${name} pre: vfio-pci$`, 'm'))
  }
})

test('vfio-pci comes before the module of a driver, whatever that is named', async (t) => {
  const port = pciDevice({ bdf: '0000:01:00.3', vendor_id: '10de', device_id: '1ad9', driver: 'nvidia-gpu' })
  const module = { 'sys/bus/pci/drivers/nvidia-gpu/module': { link: '../../../../module/i2c_nvidia_gpu' } }
  const text = await modprobe(t, module, { all: [port], chosen: [port] })
  assert.match(text, /^softdep i2c_nvidia_gpu pre: vfio-pci$/m)
  assert.doesNotMatch(text, /^softdep nvidia_gpu /m)
  assert.match(await modprobe(t, {}, { all: [port], chosen: [port] }), /^softdep nvidia_gpu pre: vfio-pci$/m)
})

test('of two identical cards one is claimed by its slot, so that the other keeps its driver (E6)', async (t) => {
  const text = await modprobe(t, {}, { all: [gpu, audio, twin], chosen: [gpu, audio] })
  assert.match(text, /^options vfio-pci ids=10de:10f0 disable_vga=1/m)
  assert.match(text, /^install vfio-pci \/etc\/exliar-vfio\/override\.sh$/m)
  const [script] = editOverrideScript(MachineTree.open(await madeTree(t, { 'etc/': '' })), claimOf([gpu, twin], [gpu]).bySlot)
  assert.match(script?.text ?? '', /^ {2}set_aside 0000:01:00\.0 10de 1b80$/m)
  assert.doesNotMatch(script?.text ?? '', /0000:02:00/)
})

test('what was there before stays: other lines, other ids, other functions', async (t) => {
  const file = '# mine\noptions vfio-pci ids=1002:73bf\nsoftdep nvidia pre: vfio-pci\nblacklist nouveau'
  const text = await modprobe(t, { 'etc/modprobe.d/vfio.conf': file }, { all: [gpu], chosen: [gpu] })
  assert.match(
    text,
    /^# mine\noptions vfio-pci ids=1002:73bf,10de:1b80 disable_vga=1 disable_idle_d3=1\nsoftdep nvidia pre: vfio-pci\n/,
  )
  assert.equal(text.match(/softdep nvidia /g)?.length, 1)
  assert.equal(await modprobe(t, { 'etc/modprobe.d/vfio.conf': text }, { all: [gpu], chosen: [gpu] }), 'unchanged')
  const tree = MachineTree.open(await madeTree(t, { 'etc/': '' }))
  const [first] = editOverrideScript(tree, [gpu])
  const again = MachineTree.open(await madeTree(t, { 'etc/exliar-vfio/override.sh': first?.text ?? '' }))
  assert.match(editOverrideScript(again, [twin])[0]?.text ?? '', /0000:01:00\.0 10de 1b80\n {2}set_aside 0000:02:00\.0/)
  assert.deepEqual(editOverrideScript(again, [gpu]), [])
})

test('a file that already tells vfio-pci what to take is named, not overruled', async (t) => {
  const one = { all: [gpu, twin], chosen: [gpu] }
  const cases: readonly TreeDescription[] = [
    { 'etc/modprobe.d/mine.conf': '\noptions vfio-pci ids=10de:1b80\n' },
    { 'etc/modprobe.d/vfio.conf': '\noptions vfio_pci ids=10de:1b80\n' },
    { 'etc/modprobe.d/vfio.conf': '\ninstall vfio-pci /usr/local/bin/mine\n' },
  ]
  for (const files of cases) await assert.rejects(modprobe(t, files, one), { code: 'MODPROBE_CONFLICT', message: /line 2 / })
  const spaced = { 'etc/modprobe.d/vfio.conf': 'options vfio-pci ids=1002:73bf, 1002:ab28\n' }
  await assert.rejects(modprobe(t, spaced, { all: [gpu], chosen: [gpu] }), { code: 'CONFIG_UNCLEAR' })
})

test('of two lines with ids the last counts, and what modprobe would read otherwise is refused', async (t) => {
  const one = { all: [gpu], chosen: [gpu] }
  const edited = async (text: string): Promise<string> => modprobe(t, { 'etc/modprobe.d/vfio.conf': text }, one)
  const two = 'options vfio-pci ids=1002:73bf\noptions vfio-pci ids=1002:ab28\n'
  assert.match(await edited(two), /^options vfio-pci ids=1002:73bf\noptions vfio-pci ids=1002:ab28,10de:1b80 disable_vga=1/)
  assert.match(await edited('softdep nvidia pre:vfio-pci\n'), /^softdep nvidia pre:vfio-pci\noptions /)
  const refused = [
    'options vfio-pci ids="1002:73bf"',
    'options vfio-pci ids=1:1 ids=2:2',
    'softdep xe pre: a \\\n b',
    'options nvidia a=1 \\',
  ]
  for (const text of refused) await assert.rejects(edited(text), { code: 'CONFIG_UNCLEAR', message: /line 1: / }, text)
})

test('a conflict is found in every directory that modprobe reads, over lines that go on, and where loading is blocked', async (t) => {
  const one = { all: [gpu], chosen: [gpu] }
  const cases: readonly TreeDescription[] = [
    { 'usr/lib/modprobe.d/card.conf': 'options vfio-pci ids=1002:73bf\n' },
    { 'etc/modprobe.d/mine.conf': 'options vfio-pci \\\n ids=1002:73bf\n' },
    { 'etc/modprobe.d/mine.conf': 'blacklist vfio_pci\n' },
    { 'run/modprobe.d/mine.conf': 'alias vfio-pci off\n' },
  ]
  for (const files of cases) await assert.rejects(modprobe(t, files, one), { code: 'MODPROBE_CONFLICT', message: /line 1 / })
  const masked = { 'usr/lib/modprobe.d/card.conf': 'options vfio-pci ids=1002:73bf\n', 'etc/modprobe.d/card.conf': '' }
  assert.match(await modprobe(t, masked, one), /ids=10de:1b80/)
})

test('what a distribution says in a file of the same name stays: ours takes the place of all of it', async (t) => {
  const shipped = { 'usr/lib/modprobe.d/vfio.conf': 'options vfio_iommu_type1 allow_unsafe_interrupts=0' }
  const text = await modprobe(t, shipped, { all: [gpu], chosen: [gpu] })
  assert.match(text, /^options vfio_iommu_type1 allow_unsafe_interrupts=0\noptions vfio-pci ids=10de:1b80 /)
})

test('modprobe heeds the first order of a module only, so that of another file is said again before it, with VFIO in it', async (t) => {
  const files = { 'usr/lib/modprobe.d/nvidia-uvm.conf': 'softdep nvidia pre: ecc post: nvidia-uvm\nsoftdep xe pre: vfio-pci\n' }
  const tree = MachineTree.open(await madeTree(t, files))
  const [own, order] = editModprobe(tree, claimOf([gpu], [gpu]), ['nvidia'])
  assert.doesNotMatch(own?.text ?? '', /softdep (?:nvidia|xe) /)
  assert.equal(order?.path, '/etc/modprobe.d/00-exliar-vfio.conf')
  assert.match(order.text, /^softdep nvidia pre: vfio-pci ecc post: nvidia-uvm\n/m)
  if (!requireProgram(t, 'modprobe', 'kmod')) return
  const directory = await temporaryDirectory(t)
  for (const { path, text } of [own, order].filter((edit) => edit !== undefined))
    writeFileSync(join(directory, basename(path)), text)
  writeFileSync(join(directory, 'nvidia-uvm.conf'), files['usr/lib/modprobe.d/nvidia-uvm.conf'])
  const read = execFileSync('modprobe', ['--config', directory, '--showconfig'], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/sbin' },
  })
  const lines = read.replaceAll(/ ?post:/g, ' post:').match(/^(?:softdep nvidia|options vfio_pci) .*/gm)
  assert.deepEqual(lines, [
    'options vfio_pci ids=10de:1b80 disable_vga=1 disable_idle_d3=1',
    'softdep nvidia pre: vfio-pci ecc post: nvidia-uvm',
    'softdep nvidia pre: ecc post: nvidia-uvm',
  ])
})

test('vfio_virqfd is listed only for kernels that have it apart', async (t) => {
  const version = { patch: null, full_version: '' }
  assert.ok(vfioModules({ major: 6, minor: 1, ...version }).includes('vfio_virqfd'))
  assert.ok(vfioModules({ major: 5, minor: 15, ...version }).includes('vfio_virqfd'))
  assert.ok(!vfioModules({ major: 6, minor: 2, ...version }).includes('vfio_virqfd'))
  const tree = MachineTree.open(await madeTree(t, { 'etc/modules-load.d/vfio-pci-load.conf': '# a\nvfio-pci' }))
  assert.equal(editModuleList(tree, ['vfio_pci', 'vfio'])[0]?.text, '# a\nvfio-pci\nvfio\n')
  assert.deepEqual(editModuleList(tree, ['vfio_pci']), [])
})

test('the override script takes nothing that is another device by now, and nothing while the IOMMU is off', async (t) => {
  const sys = (id: string): TreeDescription => ({
    'sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de\n',
    'sys/bus/pci/devices/0000:01:00.0/device': `0x${id}\n`,
    'sys/bus/pci/devices/0000:01:00.0/driver_override': '(null)\n',
  })
  const overridden = async (files: TreeDescription): Promise<string> => {
    const root = await madeTree(t, files)
    const [script] = editOverrideScript(MachineTree.open(root), [gpu])
    const text = (script?.text ?? '').replaceAll('/sys/', `${root}/sys/`).replace('exec modprobe', 'exec true')
    writeFileSync(join(root, 'script'), text)
    execFileSync('sh', [join(root, 'script')])
    return MachineTree.open(root).glance('/sys/bus/pci/devices/0000:01:00.0/driver_override') ?? ''
  }
  const iommu = { 'sys/class/iommu/dmar0/name': '', 'sys/class/iommu/dmar1/name': '' }
  assert.equal(await overridden({ ...sys('1b80'), ...iommu }), 'vfio-pci\n')
  assert.equal(await overridden({ ...sys('2204'), ...iommu }), '(null)\n')
  assert.equal(await overridden(sys('1b80')), '(null)\n')
})
