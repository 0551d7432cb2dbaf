import type { VmConfig, VmDevice } from '@exliar-vfio/points'
import type { XmlElement } from '@rgrove/parse-xml'
import { exliarErrors } from '../errors.ts'
import { commandLine, extraArguments, hostDevices, hypervisorFlag, qemuNamespace, readVmConfig } from './vm-config.ts'
import { attribute, elements, find, readXml, type XmlDocument } from './xml-document.ts'
import { ensureElement, insertElement, removeElement, setAttribute, type NewElement } from './xml-edit.ts'

/**
 * A machine's XML as `wanted` says: only what differs is touched, all the rest stays as it is to the byte; nothing
 * different gives the same text. Errors: `VM_XML_INVALID`, `VM_CHANGE_REFUSED`, `VM_CONFIG_INVALID`.
 */
export function editDomain(xml: string, wanted: VmConfig): string {
  const document = readXml(xml)
  const now = readVmConfig(document, () => undefined)
  refuseFixed(now, wanted)
  let edited = editDevices(document, now, wanted)
  edited = editFeatures(edited, now, wanted)
  return editArguments(edited, now.extra_arguments, wanted.extra_arguments).text
}

const fixed = ['name', 'uuid', 'hypervisor', 'memory_mib', 'vcpus', 'machine'] as const

function refuseFixed(now: VmConfig, wanted: VmConfig): void {
  const field = fixed.find((key) => now[key] !== wanted[key])
  if (field !== undefined) throw exliarErrors.error('VM_CHANGE_REFUSED', { name: now.name, field, value: String(wanted[field]) })
  const twice = wanted.devices.find(({ bdf }, index) => wanted.devices.findIndex((other) => other.bdf === bdf) !== index)
  if (twice !== undefined) throw exliarErrors.error('VM_CONFIG_INVALID', { reason: `it has ${twice.bdf} twice` })
}

function editDevices(document: XmlDocument, now: VmConfig, wanted: VmConfig): XmlDocument {
  let edited = document
  for (const { bdf } of now.devices) {
    const element = hostdev(edited, bdf)
    if (element !== undefined && !wanted.devices.some((device) => device.bdf === bdf)) edited = removeElement(edited, element)
  }
  for (const device of wanted.devices) edited = placeDevice(edited, device)
  return edited
}

function placeDevice(document: XmlDocument, device: VmDevice): XmlDocument {
  const element = hostdev(document, device.bdf)
  if (element !== undefined) return alterDevice(document, element, device)
  const [edited, devices] = ensureElement(document, 'devices')
  return insertElement(edited, devices, newDevice(device), hostDevices(edited.root).at(-1)?.element)
}

function hostdev(document: XmlDocument, bdf: string): XmlElement | undefined {
  return hostDevices(document.root).find((device) => device.bdf === bdf)?.element
}

function alterDevice(document: XmlDocument, element: XmlElement, wanted: VmDevice): XmlDocument {
  let edited = document
  if ((attribute(element, 'managed') === 'yes') !== wanted.managed) {
    edited = setAttribute(edited, element, 'managed', wanted.managed ? 'yes' : 'no')
  }
  const rom = (): XmlElement | undefined => find(hostdev(edited, wanted.bdf), 'rom')
  for (const [name, value] of Object.entries({ bar: romBar(wanted), file: wanted.rom_file ?? undefined })) {
    const now = attribute(rom(), name)
    if (now === value || (name === 'bar' && now !== undefined && value !== undefined && (now === 'on') === (value === 'on')))
      continue
    const parent = hostdev(edited, wanted.bdf)
    if (rom() === undefined && parent !== undefined)
      edited = insertElement(edited, parent, { name: 'rom' }, find(parent, 'source'))
    const at = rom()
    if (at !== undefined) edited = setAttribute(edited, at, name, value)
  }
  return removeBare(edited, rom())
}

function romBar({ rom_bar }: VmDevice): string | undefined {
  return rom_bar === null ? undefined : rom_bar ? 'on' : 'off'
}

/** Takes away an element that nothing is left of. */
function removeBare(document: XmlDocument, element: XmlElement | undefined): XmlDocument {
  if (element === undefined || Object.keys(element.attributes).length > 0 || elements(element).length > 0) return document
  return removeElement(document, element)
}

function newDevice(device: VmDevice): NewElement {
  const [domain = '', bus = '', slot = '', func = ''] = device.bdf.split(/[:.]/)
  const bar = romBar(device)
  const rom = { ...(bar === undefined ? {} : { bar }), ...(device.rom_file === null ? {} : { file: device.rom_file }) }
  return {
    name: 'hostdev',
    attributes: { mode: 'subsystem', type: 'pci', managed: device.managed ? 'yes' : 'no' },
    children: [
      {
        name: 'source',
        children: [
          { name: 'address', attributes: { domain: `0x${domain}`, bus: `0x${bus}`, slot: `0x${slot}`, function: `0x${func}` } },
        ],
      },
      ...(Object.keys(rom).length === 0 ? [] : [{ name: 'rom', attributes: rom }]),
    ],
  }
}

function editFeatures(document: XmlDocument, now: VmConfig, { features }: VmConfig): XmlDocument {
  let edited = document
  if (now.features.kvm_hidden !== features.kvm_hidden) {
    edited = features.kvm_hidden
      ? setAll(edited, ['features', 'kvm', 'hidden'], { state: 'on' })
      : removeUpward(edited, 'features', 'kvm', 'hidden')
  }
  if (now.features.hyperv_vendor_id !== features.hyperv_vendor_id) {
    edited =
      features.hyperv_vendor_id === null
        ? removeUpward(edited, 'features', 'hyperv', 'vendor_id')
        : setAll(edited, ['features', 'hyperv', 'vendor_id'], { state: 'on', value: features.hyperv_vendor_id })
  }
  return now.features.hypervisor_hidden === features.hypervisor_hidden ? edited : editFlag(edited, features.hypervisor_hidden)
}

function setAll(document: XmlDocument, path: readonly string[], attributes: Readonly<Record<string, string>>): XmlDocument {
  let [edited, element] = ensureElement(document, ...path)
  for (const [name, value] of Object.entries(attributes)) {
    edited = setAttribute(edited, element, name, value)
    element = find(edited.root, ...path) ?? element
  }
  return edited
}

/** Takes away the element at a path, and those above it that nothing is left of. */
function removeUpward(document: XmlDocument, ...path: readonly string[]): XmlDocument {
  const element = find(document.root, ...path)
  let edited = element === undefined ? document : removeElement(document, element)
  for (let depth = path.length - 1; depth > 0; depth--) edited = removeBare(edited, find(edited.root, ...path.slice(0, depth)))
  return edited
}

function editFlag(document: XmlDocument, hidden: boolean): XmlDocument {
  const flag = hypervisorFlag(document.root)
  if (!hidden) return flag === undefined ? document : removeElement(document, flag)
  if (flag !== undefined) return setAttribute(document, flag, 'policy', 'disable')
  const [edited, cpu] = find(document.root, 'cpu') === undefined ? withCpu(document) : [document, find(document.root, 'cpu')]
  return insertElement(edited, cpu ?? edited.root, { name: 'feature', attributes: { policy: 'disable', name: 'hypervisor' } })
}

/** A flag can only be taken from a model that is named; the one that changes least for a guest is the host's own. */
function withCpu(document: XmlDocument): readonly [XmlDocument, XmlElement] {
  const mode = attribute(document.root, 'type') === 'kvm' ? 'host-passthrough' : 'host-model'
  const edited = insertElement(document, document.root, { name: 'cpu', attributes: { mode } })
  return [edited, find(edited.root, 'cpu') ?? edited.root]
}

function editArguments(document: XmlDocument, now: readonly string[], wanted: readonly string[]): XmlDocument {
  let first = 0
  while (first < now.length && first < wanted.length && now[first] === wanted[first]) first++
  let last = 0
  while (last < Math.min(now.length, wanted.length) - first && now.at(-1 - last) === wanted.at(-1 - last)) last++
  let edited = document
  for (let count = now.length - first - last; count > 0; count--) {
    const element = extraArguments(edited.root)[first]
    if (element !== undefined) edited = removeElement(edited, element)
  }
  for (const [index, value] of wanted.slice(first, wanted.length - last).entries())
    edited = insertArgument(edited, first + index, value)
  return wanted.length === 0 && now.length > 0 ? removeBareCommandLine(edited) : edited
}

function insertArgument(document: XmlDocument, index: number, value: string): XmlDocument {
  const edited = withCommandLine(document)
  const parent = commandLine(edited.root) ?? edited.root
  const prefix = parent.name.split(':', 1)[0] ?? ''
  return insertElement(
    edited,
    parent,
    { name: `${prefix}:arg`, attributes: { value } },
    extraArguments(edited.root)[index - 1] ?? 'start',
  )
}

function withCommandLine(document: XmlDocument): XmlDocument {
  if (commandLine(document.root) !== undefined) return document
  const bound = Object.entries(document.root.attributes).find(
    ([name, uri]) => name.startsWith('xmlns:') && uri === qemuNamespace,
  )?.[0]
  const free = ['qemu', 'libvirt-qemu', 'exliar-qemu'].find((prefix) => attribute(document.root, `xmlns:${prefix}`) === undefined)
  const prefix = bound?.slice('xmlns:'.length) ?? free ?? 'exliar-qemu'
  const edited = bound === undefined ? setAttribute(document, document.root, `xmlns:${prefix}`, qemuNamespace) : document
  return insertElement(edited, edited.root, { name: `${prefix}:commandline` })
}

function removeBareCommandLine(document: XmlDocument): XmlDocument {
  const element = commandLine(document.root)
  if (element === undefined || elements(element).length > 0) return document
  return removeElement(document, element)
}
