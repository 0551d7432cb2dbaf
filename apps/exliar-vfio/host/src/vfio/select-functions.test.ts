import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pciDevice } from '../fixtures/pci-device.ts'
import { selectFunctions, type Selection, type SelectionWish } from './select-functions.ts'

const card = [
  pciDevice({ bdf: '0000:01:00.0' }),
  pciDevice({ bdf: '0000:01:00.1', device_id: '10f0', class_code: '040300' }),
  pciDevice({ bdf: '0000:01:00.2', device_id: '1ad8', class_code: '0c0330' }),
  pciDevice({ bdf: '0000:01:00.3', device_id: '1ad9', class_code: '0c8000' }),
]
const bridge = pciDevice({ bdf: '0000:00:01.0', class_code: '060400', driver: 'pcieport' })
const twin = pciDevice({ bdf: '0000:02:00.0', iommu_group: 2 })
const disk = pciDevice({ bdf: '0000:03:00.0', class_code: '010802', class: 'NVMe', driver: 'nvme' })

function moved({ functions }: Selection): readonly string[] {
  return functions.map(({ device }) => device.bdf)
}

function reasons(devices: Parameters<typeof selectFunctions>[0], wish: SelectionWish): string {
  return selectFunctions(devices, wish)
    .refusals.map(({ reason }) => reason)
    .join('; ')
}

test('a slot is all its functions, sound, USB and UCSI too, and nothing of an identical card (E6)', () => {
  for (const select of [['0000:01:00'], ['0000:01:00.1']]) {
    const selection = selectFunctions([...card, bridge, twin], { select })
    assert.deepEqual(moved(selection), ['0000:01:00.0', '0000:01:00.1', '0000:01:00.2', '0000:01:00.3'])
    assert.deepEqual(selection.refusals, [])
  }
})

test('a device of another card in the group is refused by name, or taken along when somebody says so', () => {
  assert.match(reasons([...card, disk], { select: ['0000:01:00'] }), /group 1 of 0000:01:00\.0 also holds 0000:03:00\.0 \(NVMe/)
  const along = selectFunctions([...card, disk], { select: ['0000:01:00'], takeAlong: ['0000:03:00.0'] })
  assert.equal(moved(along).at(-1), '0000:03:00.0')
  assert.deepEqual(along.refusals, [])
})

test('sound in another group brings that group’s strangers with it', () => {
  const sound = pciDevice({ bdf: '0000:01:00.1', iommu_group: 9 })
  const stranger = pciDevice({ bdf: '0000:05:00.0', iommu_group: 9 })
  assert.match(
    reasons([pciDevice({ bdf: '0000:01:00.0' }), sound, stranger], { select: ['0000:01:00'] }),
    /group 9 of 0000:01:00\.1/,
  )
})

test('an ISA bridge is no bridge of the fabric: one in the group keeps it from being passed, by name', () => {
  const isa = pciDevice({ bdf: '0000:00:1f.0', class_code: '060100', class: 'ISA bridge' })
  assert.match(reasons([...card, isa], { select: ['0000:01:00'] }), /also holds 0000:00:1f\.0 \(ISA bridge/)
})

test('bridges are never taken, not even when they are asked for', () => {
  assert.match(reasons([bridge], { select: ['0000:00:01.0'] }), /is a bridge/)
})

test('a virtual function goes alone; a physical one that has some stays', () => {
  const physical = pciDevice({ bdf: '0000:04:00.0', iommu_group: 4, virtual_functions: ['0000:04:00.1', '0000:04:00.2'] })
  const virtual = [1, 2].map((index) =>
    pciDevice({ bdf: `0000:04:00.${index}`, iommu_group: 10 + index, physical_function: '0000:04:00.0' }),
  )
  assert.deepEqual(moved(selectFunctions([physical, ...virtual], { select: ['0000:04:00.2'] })), ['0000:04:00.2'])
  assert.match(reasons([physical, ...virtual], { select: ['0000:04:00'] }), /has 2 virtual functions/)
})

test('of a processor with graphics only the graphics goes; its USB for the keyboard, of another vendor, stays', () => {
  const graphics = pciDevice({ bdf: '0000:0b:00.0', vendor_id: '1002', iommu_group: 20 })
  const sound = pciDevice({ bdf: '0000:0b:00.1', vendor_id: '1002', class_code: '040300', iommu_group: 21 })
  const usb = pciDevice({ bdf: '0000:0b:00.3', vendor_id: '1022', class_code: '0c0330', iommu_group: 22 })
  assert.deepEqual(moved(selectFunctions([graphics, sound, usb], { select: ['0000:0b:00'] })), ['0000:0b:00.0', '0000:0b:00.1'])
})

test('a domain of five digits is as good as one of four', () => {
  const far = pciDevice({ bdf: '10000:01:00.0', iommu_group: 7 })
  assert.deepEqual(moved(selectFunctions([far, ...card], { select: ['10000:01:00'] })), ['10000:01:00.0'])
})

test('the screen the machine starts with is given away only knowingly', () => {
  const screen = pciDevice({ bdf: '0000:01:00.0', boot_vga: true })
  assert.match(reasons([screen], { select: ['0000:01:00'] }), /stay black/)
  assert.equal(reasons([screen], { select: ['0000:01:00'], allowBootScreen: true }), '')
})

test('what is not there is refused, and without an IOMMU the group is unknown', () => {
  assert.match(reasons(card, { select: ['0000:09:00'] }), /there is no device 0000:09:00; graphics adapters are at 0000:01:00$/)
  const alone = pciDevice({ bdf: '0000:01:00.0', iommu_group: null })
  assert.match(selectFunctions([alone], { select: ['0000:01:00'] }).notes[0] ?? '', /IOMMU is off/)
})

test('what is to be taken along and is not there is refused; what has no group with the card stays, and that is said', () => {
  const far = pciDevice({ bdf: '0000:09:00.0', class_code: '010802', iommu_group: 99 })
  const wish = { select: ['0000:01:00'] }
  assert.match(reasons([...card, far], { ...wish, takeAlong: ['0000:09:01'] }), /there is no device 0000:09:01/)
  const { functions, notes } = selectFunctions([...card, far], { ...wish, takeAlong: ['0000:09:00'] })
  assert.ok(functions.every(({ device }) => device.bdf !== far.bdf))
  assert.ok(notes.includes('0000:09:00 stays: nothing that goes has a group with it.'), notes.join())
})
