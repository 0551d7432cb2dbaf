import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { bindExecutor } from './bind-executor.ts'
import { readDevices } from '../devices/read-devices.ts'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { passthroughFiles, passthroughPlan } from '../fixtures/passthrough-machine.ts'
import { pciFunctions } from '../fixtures/pci-function.ts'
import { BackupStore } from '../changes/backup-store.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { storageInUse } from './storage-in-use.ts'

const bdf = '10000:04:00.0'
const controller = `/sys/devices/pci10000:04/${bdf}`
const head = '/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme2n1'

/** A disk behind one controller, with a partition, as the kernel shows them. */
const disk: TreeDescription = {
  ...pciFunctions([{ bdf, id: '144d:a808', class: '010802', driver: 'nvme', group: 40 }]),
  '/sys/class/block/nvme0n1': { link: `../../devices/pci10000:04/${bdf}/nvme/nvme0/nvme0n1` },
  '/sys/class/block/nvme0n1p2': { link: `../../devices/pci10000:04/${bdf}/nvme/nvme0/nvme0n1/nvme0n1p2` },
  [`${controller}/nvme/nvme0/nvme0n1/dev`]: '259:0\n',
  [`${controller}/nvme/nvme0/nvme0n1/nvme0n1p2/dev`]: '259:2\n',
}

async function reasons(t: TestContext, ...more: readonly TreeDescription[]): Promise<readonly string[]> {
  const tree = MachineTree.open(await madeTree(t, disk, ...more))
  return storageInUse(tree, readDevices(tree)).map(({ reason }) => reason)
}

const mounted = (line: string): TreeDescription => ({ '/proc/1/mountinfo': `22 27 0:21 / /proc rw - proc proc rw\n${line}\n` })

test('a disk that nothing is mounted from is nobody’s', async (t) => {
  assert.deepEqual(await reasons(t), [])
  const bare = { '/sys/class/block/nvme0n2': { link: `../../devices/pci10000:04/${bdf}/nvme/nvme0/nvme0n2` } }
  assert.deepEqual(await reasons(t, bare, { [`${controller}/nvme/nvme0/nvme0n2/`]: '', '/proc/swaps': 'Filename\n' }), [])
  assert.deepEqual(await reasons(t, mounted('30 1 8:1 / / rw - ext4 /dev/sda1 rw')), [])
})

test('what is mounted is named with its place, known by number or, where it spans disks, by name', async (t) => {
  const byNumber = await reasons(t, mounted('30 1 259:2 / /a\\040b rw,relatime shared:1 - ext4 /dev/root rw'))
  assert.deepEqual(byNumber, [`${bdf} carries nvme0n1p2, which is mounted at /a b: this machine would lose it`])
  assert.match(
    (await reasons(t, mounted('30 1 0:33 / / rw - btrfs /dev/nvme0n1p2 rw'))).join(),
    /nvme0n1p2, which is mounted at \//,
  )
})

test('swap, and what a mapper is made of, are in use too', async (t) => {
  const swaps = 'Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p2   partition\t1\t0\t-2\n'
  assert.match((await reasons(t, { '/proc/swaps': swaps })).join(), /nvme0n1p2, which is swapped to/)
  const holder = `${controller}/nvme/nvme0/nvme0n1/nvme0n1p2/holders/dm-0/`
  assert.match((await reasons(t, { [holder]: '' })).join(), /nvme0n1p2, which dm-0 is made of/)
})

test('a namespace that is reached in several ways is behind each of them', async (t) => {
  const path = { '/sys/class/block/nvme2c0n1': { link: `../../devices/pci10000:04/${bdf}/nvme/nvme0/nvme2c0n1` } }
  const shared = {
    ...path,
    [`${controller}/nvme/nvme0/nvme2c0n1/`]: '',
    '/sys/class/block/nvme2n1': { link: `../..${head.slice(4)}` },
  }
  const found = await reasons(t, shared, { [`${head}/dev`]: '259:7\n' }, mounted('30 1 259:7 / / rw - xfs /dev/nvme2n1 rw'))
  assert.match(found.join(), /nvme2c0n1, which is mounted at \//)
})

test('neither a plan nor a plugin takes a disk away that this machine uses', async (t) => {
  const usual = { bootloader: 'grub', initramfs: 'mkinitcpio' } as const
  const files = passthroughFiles(usual)
  const tree = MachineTree.open(await madeTree(t, files, disk, mounted('30 1 259:2 / / rw - ext4 /dev/root rw')))
  const given = { devices: readDevices(tree), selection: { select: ['10000:04:00'] } }
  assert.throws(() => passthroughPlan(tree, usual, given), { code: 'SELECTION_REFUSED', message: /which is mounted at \// })
  const step = { kind: 'bind-device', bdf, driver: 'vfio-pci', cause: null, summary: 'take it', records: 'driver-bound' } as const
  const ground = { tree, backups: new BackupStore(tree, '/backups'), run: () => assert.fail(), atPoint: () => undefined }
  await assert.rejects(bindExecutor().look(step, ground), { code: 'BIND_REFUSED', message: /which is mounted at \// })
})
