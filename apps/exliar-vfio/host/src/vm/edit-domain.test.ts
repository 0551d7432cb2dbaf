import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withHypervisorHidden, withKvmHidden, withVendorId, VmConfig, VmDevice } from '@exliar-vfio/points'
import * as fc from 'fast-check'
import { editDomain } from './edit-domain.ts'
import { domainDifferences } from './same-domain.ts'
import { readVmConfig } from './vm-config.ts'
import { readXml } from './xml-document.ts'

const plain = `<?xml version='1.0'?>
<!-- kept: <features/> -->
<domain xmlns:x="urn:other" type='kvm'>
  <name>win &amp; games</name>
  <uuid>8f1d1c9e-8d7a-4d3a-9a55-0f3a2f8e5c11</uuid>
  <memory unit='GiB'>16</memory>
  <vcpu placement="static" >8</vcpu>
  <metadata><x:note kvm='hidden'><hostdev/></x:note></metadata>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features>
    <acpi/>
    <hyperv mode='custom'>
      <relaxed state='on'/>
    </hyperv>
  </features>
  <cpu mode='host-passthrough' check='none'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </source>
      <rom bar='off'/>
    </hostdev>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x046d'/></source></hostdev>
    <hostdev type='pci' mode='subsystem'><source><address domain='0x10000' bus='225' slot='037' function='0x7'/></source></hostdev>
  </devices>
</domain>
`

const read = (xml: string): VmConfig => readVmConfig(readXml(xml), () => undefined)

test('a machine is read with memory in any unit, numbers as C writes them, and domains of any length', () => {
  const config = readVmConfig(readXml(plain), (bdf) =>
    bdf === '0000:01:00.0' ? { vendor_id: '10de', device_id: '2684', is_gpu: true } : undefined,
  )
  assert.deepEqual(VmConfig.parse(config), config)
  assert.equal(config.name, 'win & games')
  assert.equal(config.memory_mib, 16_384)
  assert.equal(config.vcpus, 8)
  assert.equal(config.machine, 'pc-q35-7.2')
  assert.deepEqual(config.devices, [
    { bdf: '0000:01:00.0', vendor_id: '10de', device_id: '2684', is_gpu: true, managed: true, rom_bar: false, rom_file: null },
    { bdf: '10000:e1:1f.7', vendor_id: '', device_id: '', is_gpu: false, managed: false, rom_bar: null, rom_file: null },
  ])
  for (const [unit, value, mib] of [
    ['KB', 1_048_576, 1_000],
    ['b', 1_048_576, 1],
    ['MiB', 3, 3],
    ['T', 1, 1_048_576],
  ] as const) {
    assert.equal(read(plain.replace("unit='GiB'>16", `unit='${unit}'>${value}`)).memory_mib, mib)
  }
})

test('hiding from the guest adds three pieces and leaves every other line as it is', () => {
  const hidden = withVendorId(withKvmHidden(withHypervisorHidden(read(plain))), '123456789ab')
  const xml = editDomain(plain, hidden)
  assert.deepEqual(read(xml), hidden)
  const lines = new Set(plain.split('\n'))
  assert.deepEqual(
    xml.split('\n').filter((line) => !lines.has(line)),
    [
      "      <vendor_id state='on' value='123456789ab'/>",
      '    <kvm>',
      "      <hidden state='on'/>",
      '    </kvm>',
      "  <cpu mode='host-passthrough' check='none'>",
      "    <feature policy='disable' name='hypervisor'/>",
      '  </cpu>',
    ],
  )
  assert.equal(domainDifferences(plain, editDomain(xml, read(plain))).length, 0)
})

test('a device that is added stands behind the others, one that is taken away leaves no trace', () => {
  const now = read(plain)
  const added = VmDevice.parse({ bdf: '0000:01:00.1', rom_file: '/roms/a.rom' })
  const xml = editDomain(plain, { ...now, devices: [...now.devices, added] })
  assert.deepEqual(read(xml).devices, [...now.devices, added])
  assert.equal(editDomain(xml, now), plain)
  const without = editDomain(plain, { ...now, devices: now.devices.slice(1) })
  assert.match(without, /type='usb'/)
  assert.ok(!without.includes("bus='0x01'"))
})

test('arguments get their namespace, which stays harmless when they are taken away again', () => {
  const now = read(plain)
  const xml = editDomain(plain, { ...now, extra_arguments: ['-cpu', "host,kvm=off,a='<b>&\n"] })
  assert.match(xml, /<domain xmlns:x="urn:other" type='kvm' xmlns:qemu='http:\/\/libvirt.org\/schemas\/domain\/qemu\/1.0'>/)
  assert.deepEqual(read(xml).extra_arguments, ['-cpu', "host,kvm=off,a='<b>&\n"])
  assert.deepEqual(domainDifferences(plain, editDomain(xml, now)), [])
})

test("a prefix is only what it is bound to: another document's qemu is not QEMU's, and QEMU's may be called otherwise", () => {
  const foreign = plain
    .replace('xmlns:x="urn:other"', "xmlns:x='urn:other' xmlns:qemu='urn:mine'")
    .replace('</devices>', "</devices><qemu:commandline><qemu:arg value='-no'/></qemu:commandline>")
  assert.deepEqual(read(foreign).extra_arguments, [])
  const edited = editDomain(foreign, { ...read(foreign), extra_arguments: ['-yes'] })
  assert.match(edited, /<libvirt-qemu:arg value='-yes'\/>/)
  assert.match(edited, /<qemu:arg value='-no'\/>/)
  const renamed = plain.replace(
    '</devices>',
    "</devices><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:env name='A' value='b'/></q:commandline>",
  )
  const withArgument = editDomain(renamed, { ...read(renamed), extra_arguments: ['-a'] })
  assert.match(withArgument, /<q:arg value='-a'\/>/)
  assert.match(withArgument, /<q:env name='A' value='b'\/>/)
})

test('what a plugin may not change is refused by name', () => {
  const now = read(plain)
  for (const [field, value] of Object.entries({
    name: 'x',
    uuid: 'x',
    hypervisor: 'xen',
    memory_mib: 1,
    vcpus: 1,
    machine: 'pc',
  })) {
    assert.throws(() => editDomain(plain, { ...now, [field]: value }), { code: 'VM_CHANGE_REFUSED', message: new RegExp(field) })
  }
  const [device] = now.devices
  assert.ok(device)
  assert.throws(() => editDomain(plain, { ...now, devices: [device, device] }), { code: 'VM_CONFIG_INVALID' })
  assert.throws(() => editDomain(plain, { ...now, extra_arguments: ['a\0b'] }), { code: 'VM_CONFIG_INVALID' })
})

test('what could be read in two ways is not read at all', () => {
  const bad = {
    doctype: '<!DOCTYPE domain><domain><name>a</name></domain>',
    entity: '<!DOCTYPE d [<!ENTITY a "b">]><domain><name>&a;</name></domain>',
    deep: '<a>'.repeat(100_000),
    long: `<domain><name>a</name>${' '.repeat(4 * 1024 * 1024)}</domain>`,
    carriage: '<domain>\r\n<name>a</name></domain>',
    twice: '<domain/><domain/>',
    other: '<network><name>a</name></network>',
    nameless: '<domain/>',
    text: 'error: no such machine',
  }
  for (const xml of Object.values(bad)) assert.throws(() => read(xml), { code: 'VM_XML_INVALID' })
})

const text = fc.string({ unit: 'binary', maxLength: 40 })
const bdf = fc
  .tuple(fc.nat(0xf_ff_ff), fc.nat(0xff), fc.nat(0x1f), fc.nat(7))
  .map(
    ([d, b, s, f]) =>
      `${d.toString(16).padStart(4, '0')}:${b.toString(16).padStart(2, '0')}:${s.toString(16).padStart(2, '0')}.${f}`,
  )
const device = fc
  .record({
    bdf: fc.oneof(fc.constantFrom('0000:01:00.0', '10000:e1:1f.7'), bdf),
    managed: fc.boolean(),
    rom_bar: fc.option(fc.boolean()),
    rom_file: fc.option(text.map((path) => `/${path}`)),
  })
  .map((given) => VmDevice.parse(given))
const features = fc.record(
  {
    kvm_hidden: fc.boolean(),
    hypervisor_hidden: fc.boolean(),
    hyperv_vendor_id: fc.option(fc.stringMatching(/^[ -+\--~]{1,12}$/)),
  },
  { noNullPrototype: true },
)
const wanted = fc.record({
  devices: fc.uniqueArray(device, { selector: (made) => made.bdf, maxLength: 5 }),
  features,
  extra_arguments: fc.array(text, { maxLength: 5 }),
})
const forbidden = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u

const byBdf = (config: VmConfig): VmConfig => ({
  ...config,
  devices: config.devices.toSorted((a, b) => a.bdf.localeCompare(b.bdf)),
})

test('whatever a plugin asks for is there when it is read again, or refused; nothing breaks out of its place', () => {
  fc.assert(
    fc.property(wanted, (change) => {
      const config = { ...read(plain), ...change }
      const values = [...change.extra_arguments, ...change.devices.map(({ rom_file }) => rom_file ?? '')]
      if (values.some((value) => forbidden.test(value))) {
        assert.throws(() => editDomain(plain, config), { code: 'VM_CONFIG_INVALID' })
        return
      }
      const xml = editDomain(plain, config)
      assert.deepEqual(byBdf(read(xml)), byBdf(config))
      assert.equal(editDomain(xml, read(xml)), xml, 'no change, the same bytes')
      const elements = (of: string): number => of.split(/<(?!\/|!|\?)/).length
      const ours = / <(hostdev|source|address|rom|kvm|hidden|hyperv|vendor_id|feature|qemu:\w+)|<cpu/
      assert.ok(
        elements(
          xml
            .split('\n')
            .filter((line) => !ours.test(line))
            .join('\n'),
        ) <= elements(plain),
      )
      const back = editDomain(xml, read(plain))
      assert.deepEqual(byBdf(read(back)), byBdf(read(plain)))
    }),
    { numRuns: 400 },
  )
})

test('changing and changing back means the same as before', () => {
  fc.assert(
    fc.property(features, fc.array(fc.stringMatching(/^[ -~]*$/), { maxLength: 4 }), (changed, extra_arguments) => {
      const before = read(plain)
      const there = editDomain(plain, { ...before, features: changed, extra_arguments })
      assert.deepEqual(domainDifferences(plain, editDomain(there, before)), [])
    }),
    { numRuns: 300 },
  )
})
