import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PciDevice } from '@exliar-vfio/points'
import { madeTree, type TreeDescription } from '../fixtures/materialise.ts'
import { pciFunctions, type PciFunctionSample } from '../fixtures/pci-function.ts'
import { sampleTree, sampleTrees } from '../fixtures/sample-tree.ts'
import { MachineTree } from '../machine/machine-tree.ts'
import { readDevices, readOneDevice } from './read-devices.ts'

const card = { bdf: '0000:01:00.0', id: '10de:1e84', class: '030000' } as const

async function read(t: TestContext, samples: readonly PciFunctionSample[], ...more: readonly TreeDescription[]) {
  return readDevices(MachineTree.open(await madeTree(t, pciFunctions(samples), ...more)))
}

async function readOne(t: TestContext, sample: PciFunctionSample, ...more: readonly TreeDescription[]) {
  const [device] = await read(t, [sample], ...more)
  assert.ok(device)
  return device
}

test('every function of the sample machines is as the contract says', () => {
  for (const name of sampleTrees) {
    const tree = MachineTree.open(sampleTree(name))
    const devices = readDevices(tree)
    assert.equal(devices.length, tree.names('/sys/bus/pci/devices').length)
    for (const device of devices) {
      assert.deepEqual(PciDevice.parse(device), device)
      assert.equal(tree.has(device.sysfs_path), true)
    }
  }
})

test('vendor, device and class are three files, and none stands for another (E1, E7)', async (t) => {
  const device = await readOne(t, { ...card, class: '030200', subsystem: '1458:4001' })
  assert.deepEqual(
    [device.vendor_id, device.device_id, device.class_code, device.subsystem_vendor_id, device.subsystem_device_id],
    ['10de', '1e84', '030200', '1458', '4001'],
  )
})

test('a function without its ids is left out instead of getting made-up ones', async (t) => {
  const gone = {
    '/sys/bus/pci/devices/0000:02:00.0/class': '0x030000\n',
    '/sys/bus/pci/devices/not-an-address/vendor': '0x10de\n',
  }
  assert.deepEqual(
    (await read(t, [card], gone)).map(({ bdf }) => bdf),
    ['0000:01:00.0'],
  )
})

test('the driver is found whatever the length of the domain (E2)', async (t) => {
  for (const bdf of ['0000:01:00.0', '10000:e1:00.0', '1a2b3c:01:1f.7']) {
    const device = await readOne(t, { ...card, bdf, driver: 'nvidia', group: 7 })
    assert.deepEqual([device.bdf, device.driver, device.iommu_group], [bdf, 'nvidia', 7])
    assert.equal(device.slot, bdf.slice(0, -2))
  }
})

test('without driver, override, group and reset there is null and nothing', async (t) => {
  const device = await readOne(t, card)
  assert.deepEqual(
    [device.driver, device.driver_override, device.iommu_group, device.reset_methods, device.boot_vga],
    [null, null, null, [], false],
  )
})

test('what somebody asked for is read as it is written', async (t) => {
  const files = { revision: '0xa1\n' }
  const device = await readOne(t, { ...card, driverOverride: 'vfio-pci', bootVga: true, resetMethod: 'flr bus', files })
  assert.deepEqual([device.driver_override, device.boot_vga, device.reset_methods], ['vfio-pci', true, ['flr', 'bus']])
})

test('a kernel that does not name its reset methods still has one', async (t) => {
  assert.deepEqual((await readOne(t, { ...card, files: { reset: '' } })).reset_methods, ['unnamed'])
})

test('virtual functions are in order of their numbers, and know their physical one', async (t) => {
  const virtual = Array.from({ length: 11 }, (_, index) => `0000:01:0${1 + (index >> 3)}.${index % 8}`)
  const physical = { ...card, virtualFunctions: virtual, files: { sriov_numvfs: '11\n' } }
  const ones = virtual.map((bdf) => ({ ...card, bdf, physicalFunction: card.bdf }))
  const [first, second] = await read(t, [physical, ...ones])
  assert.deepEqual(first?.virtual_functions, virtual)
  assert.equal(first?.physical_function, null)
  assert.equal(second?.physical_function, card.bdf)
})

test('names are from the machine’s own list, and ids where it does not know them', async (t) => {
  const list = [
    '# list',
    '10de  NVIDIA Corporation',
    '\t1e84  TU104 [GeForce RTX 2070 SUPER]',
    '\t\t1458 4001  A board of 1458',
    '10df  Emulex',
    '\t1e85  Not of NVIDIA',
    'C 03  Display controller',
    '\t00  VGA compatible controller',
    '\t\t00  VGA controller',
  ].join('\n')
  const named = async (sample: PciFunctionSample, path = '/usr/share/misc/pci.ids') => {
    const device = await readOne(t, sample, { [path]: list })
    return [device.vendor_name, device.device_name, device.class]
  }
  const known = ['NVIDIA Corporation', 'TU104 [GeForce RTX 2070 SUPER]', 'VGA compatible controller']
  assert.deepEqual(await named(card), known)
  assert.deepEqual(await named(card, '/usr/share/hwdata/pci.ids'), known)
  assert.deepEqual(await named({ ...card, id: '10de:1e85' }), ['NVIDIA Corporation', '1e85', 'VGA compatible controller'])
  assert.deepEqual(await named({ ...card, id: '1002:1e84', class: '03ff00' }), ['1002', '1e84', 'class 03ff'])
  assert.equal((await readOne(t, card)).class, 'VGA compatible controller')
})

test('one function is read alone, as it is now', async (t) => {
  const tree = MachineTree.open(await madeTree(t, pciFunctions([{ ...card, driver: 'nvidia' }])))
  assert.equal(readOneDevice(tree, '0000:01:00.0')?.driver, 'nvidia')
  assert.equal(readOneDevice(tree, '0000:02:00.0'), undefined)
  assert.equal(readOneDevice(tree, '../../../../etc'), undefined)
})

test('what a kernel would not write is as if it were not there, and spoils nothing else', async (t) => {
  const directory = '/sys/devices/pci0000:01/0000:01:00.0'
  const device = await readOne(
    t,
    {
      ...card,
      physicalFunction: 'zz',
      virtualFunctions: ['yy', '0000:01:00.4'],
      files: { sriov_numvfs: '2\n', subsystem_vendor: '0x10de1\n' },
    },
    { [`${directory}/iommu_group`]: { link: '../../-5' } },
  )
  assert.deepEqual(PciDevice.parse(device), device)
  assert.deepEqual([device.physical_function, device.virtual_functions, device.iommu_group], [null, ['0000:01:00.4'], null])
  assert.equal(device.subsystem_vendor_id, null)
  assert.deepEqual(await read(t, [{ ...card, files: { vendor: '0x10de1234\n' } }]), [])
})
