import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { MachineTree } from './machine-tree.ts'

async function sample(t: TestContext): Promise<{ outside: string; root: string; tree: MachineTree }> {
  const outside = await temporaryDirectory(t)
  const root = join(outside, 'root')
  await mkdir(join(root, 'etc/default'), { recursive: true })
  await writeFile(join(root, 'etc/default/grub'), 'GRUB_TIMEOUT=5\n')
  await writeFile(join(outside, 'secret'), 'not of this machine')
  return { outside, root, tree: MachineTree.open(root) }
}

test('a root that is missing or a file is refused', async (t) => {
  const { root } = await sample(t)
  assert.throws(() => MachineTree.open(join(root, 'nowhere')), { code: 'TREE_NOT_FOUND' })
  assert.throws(() => MachineTree.open(join(root, 'etc/default/grub')), { code: 'TREE_NOT_FOUND' })
})

test('a missing file is undefined, and a missing directory has no names', async (t) => {
  const { tree } = await sample(t)
  assert.equal(tree.readText('/etc/default/grub'), 'GRUB_TIMEOUT=5\n')
  assert.equal(tree.readText('/etc/default/none'), undefined)
  assert.equal(tree.readText('/etc/default/grub/below-a-file'), undefined)
  assert.deepEqual(tree.names('/etc/none'), [])
  assert.deepEqual(tree.names('/etc'), ['default'])
  assert.equal(tree.has('/etc/default'), true)
  assert.equal(tree.has('/etc/default/none'), false)
  assert.equal(tree.directory('/etc/default/grub'), undefined)
})

test('an absolute link starts at the root of the tree', async (t) => {
  const { root, tree } = await sample(t)
  await symlink('/etc/default/grub', join(root, 'grub'))
  await symlink('/etc', join(root, 'config'))
  assert.equal(tree.readText('/grub'), 'GRUB_TIMEOUT=5\n')
  assert.equal(tree.readText('/config/default/../default/grub'), 'GRUB_TIMEOUT=5\n')
  assert.equal(tree.realPath('/config/default'), '/etc/default')
  assert.equal(tree.linkName('/grub'), 'grub')
  assert.equal(tree.linkName('/etc'), undefined)
})

test('a link that climbs above the root is refused, for reading, writing and removing', async (t) => {
  const { outside, root, tree } = await sample(t)
  await symlink('../secret', join(root, 'out'))
  await symlink('../../..', join(root, 'etc/up'))
  assert.throws(() => tree.readText('/out'), { code: 'TREE_ESCAPES' })
  assert.throws(() => tree.has('/etc/up/secret'), { code: 'TREE_ESCAPES' })
  assert.throws(() => tree.readText('/../secret'), { code: 'TREE_ESCAPES' })
  await assert.rejects(tree.write('/out', 'taken'), { code: 'TREE_ESCAPES' })
  await assert.rejects(tree.remove('/out'), { code: 'TREE_ESCAPES' })
  await assert.rejects(tree.writeAttribute('/out', 'taken'), { code: 'TREE_ESCAPES' })
  assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'not of this machine')
})

test('an absolute link to something outside means the path inside', async (t) => {
  const { outside, root, tree } = await sample(t)
  await symlink(join(outside, 'secret'), join(root, 'out'))
  assert.equal(tree.readText('/out'), undefined)
  await assert.rejects(tree.write('/out', 'taken'), { code: 'TREE_UNWRITABLE' })
  assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'not of this machine')
})

test('above this machine’s own root is the root', () => {
  assert.equal(MachineTree.open('/').realPath('/../../proc'), '/proc')
  assert.equal(MachineTree.open('/').isThisMachine, true)
})

test('links in a circle, directories and bytes that are no text are unreadable', async (t) => {
  const { root, tree } = await sample(t)
  await symlink('b', join(root, 'a'))
  await symlink('a', join(root, 'b'))
  await writeFile(join(root, 'latin'), Buffer.from([0x66, 0xfc, 0x72]))
  assert.throws(() => tree.readText('/a'), { code: 'TREE_UNREADABLE' })
  assert.throws(() => tree.readText('/etc'), { code: 'TREE_UNREADABLE' })
  assert.throws(() => tree.readText('/latin'), { code: 'TREE_UNREADABLE' })
  assert.equal(tree.readBytes('/latin')?.length, 3)
  assert.equal(tree.glance('/a'), undefined)
  assert.equal(tree.has('/a'), false)
})

test('a file above the limit is refused', async (t) => {
  const { tree } = await sample(t)
  assert.throws(() => tree.readText('/etc/default/grub', 14), {
    code: 'TREE_FILE_TOO_LARGE',
    message: '/etc/default/grub is larger than 14 bytes',
  })
  assert.equal(tree.readText('/etc/default/grub', 15), 'GRUB_TIMEOUT=5\n')
})

test('writing keeps mode and links, and leaves nothing beside the file', async (t) => {
  const { root, tree } = await sample(t)
  await chmod(join(root, 'etc/default/grub'), 0o640)
  await symlink('/etc/default/grub', join(root, 'grub'))
  await writeFile(join(root, 'etc/default/.grub.exliar-unfinished'), 'left by a kill')
  await tree.write('/grub', 'GRUB_TIMEOUT=0\n')
  assert.equal(await readFile(join(root, 'etc/default/grub'), 'utf8'), 'GRUB_TIMEOUT=0\n')
  assert.equal((await stat(join(root, 'etc/default/grub'))).mode & 0o777, 0o640)
  assert.deepEqual(await readdir(join(root, 'etc/default')), ['grub'])
  assert.equal(tree.linkName('/grub'), 'grub')
})

test('a file is written with the marks that are given', async (t) => {
  const { tree } = await sample(t)
  const { uid, gid } = tree.stat('/etc') ?? { uid: 0, gid: 0 }
  await tree.write('/etc/key', 'new', { mode: 0o600, uid, gid })
  assert.deepEqual(tree.stat('/etc/key'), { kind: 'file', sizeBytes: 3, mode: 0o600, uid, gid })
})

test('what a killed write left is found and removed', async (t) => {
  const { root, tree } = await sample(t)
  await writeFile(join(root, 'etc/default/.grub.exliar-unfinished'), 'half')
  await tree.removeUnfinished('/etc/default/grub')
  await tree.removeUnfinished('/etc/default/grub')
  assert.deepEqual(tree.names('/etc/default'), ['grub'])
})

test('what is in a directory that is missing, or is a directory, is not written', async (t) => {
  const { tree } = await sample(t)
  await assert.rejects(tree.write('/etc/default', 'x'), { code: 'TREE_UNWRITABLE' })
  await assert.rejects(tree.write('/etc/modprobe.d/vfio.conf', 'x'), { code: 'TREE_UNWRITABLE' })
})

test('removing twice is the same as once', async (t) => {
  const { tree } = await sample(t)
  assert.equal(await tree.remove('/etc/default/grub'), true)
  assert.equal(await tree.remove('/etc/default/grub'), false)
})

test('directories are made one at a time and removed only when empty', async (t) => {
  const { tree } = await sample(t)
  assert.equal(await tree.makeDirectory('/etc/modprobe.d'), true)
  assert.equal(await tree.makeDirectory('/etc/modprobe.d'), false)
  await tree.write('/etc/modprobe.d/vfio.conf', 'x')
  assert.equal(await tree.removeDirectory('/etc/modprobe.d'), false)
  await tree.remove('/etc/modprobe.d/vfio.conf')
  assert.equal(await tree.removeDirectory('/etc/modprobe.d'), true)
  await assert.rejects(tree.makeDirectory('/etc/a/b'), { code: 'TREE_UNWRITABLE' })
})

test('an attribute is written in place and never made', async (t) => {
  const { root, tree } = await sample(t)
  await writeFile(join(root, 'driver_override'), '(null)\n')
  const before = (await stat(join(root, 'driver_override'))).ino
  await tree.writeAttribute('/driver_override', 'vfio-pci')
  assert.equal(await readFile(join(root, 'driver_override'), 'utf8'), 'vfio-pci')
  assert.equal((await stat(join(root, 'driver_override'))).ino, before)
  await assert.rejects(tree.writeAttribute('/bind', '0000:01:00.0'), { code: 'TREE_UNWRITABLE', details: { reason: 'ENOENT' } })
})

test('a directory of attributes has what can be read of it', async (t) => {
  const { root, tree } = await sample(t)
  await mkdir(join(root, 'sys/device'), { recursive: true })
  await writeFile(join(root, 'sys/device/vendor'), '0x10de\n')
  await writeFile(join(root, 'sys/device/large'), 'x'.repeat(5000))
  await symlink('../../../../bus/pci/drivers/nvidia', join(root, 'sys/device/driver'))
  const device = tree.directory('/sys/device')
  assert.equal(device?.attribute('vendor'), '0x10de')
  assert.equal(device?.attribute('device'), undefined)
  assert.equal(device?.attribute('large'), undefined)
  assert.equal(device?.attribute('driver'), undefined)
  assert.equal(device?.linkName('driver'), 'nvidia')
  assert.equal(device?.linkName('vendor'), undefined)
  assert.equal(device?.has('driver'), true)
  assert.deepEqual(device?.names(), ['driver', 'large', 'vendor'])
})

test('what is in a directory that is not there is removed already', async (t) => {
  const { root, tree } = await sample(t)
  await symlink('nowhere/file', join(root, 'etc/dangling'))
  for (const path of ['/etc/none/below/file', '/etc/dangling', '/etc/default/none']) {
    await tree.removeUnfinished(path)
    assert.equal(await tree.remove(path), false, path)
  }
})
