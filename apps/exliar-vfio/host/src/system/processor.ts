import type { SystemInfo } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

const place = '/proc/cpuinfo'

const vendors: ReadonlyMap<string, SystemInfo['cpu_vendor']> = new Map([
  ['GenuineIntel', 'intel'],
  ['AuthenticAMD', 'amd'],
  ['HygonGenuine', 'amd'],
])

/** What `cpuinfo` says of the first processor; all are of one kind. */
export interface Processor {
  readonly vendor: Fact<SystemInfo['cpu_vendor']>
  readonly model: Fact<string>
  /** The kernel takes the flag away where the firmware locked the extension. */
  readonly virtualization: Fact<boolean>
}

export function processor(tree: MachineTree): Processor {
  const text = tree.glance(place)
  const evidence = text === undefined ? null : place
  const fields = fieldsOf(text ?? '')
  const flags = (fields.get('flags') ?? '').split(' ')
  return {
    vendor: { value: vendors.get(fields.get('vendor_id') ?? '') ?? 'other', evidence },
    model: { value: fields.get('model name') ?? fields.get('Model') ?? 'unknown', evidence },
    virtualization: { value: flags.includes('vmx') || flags.includes('svm') || tree.has('/dev/kvm'), evidence },
  }
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const first = text.split('\n\n', 1)[0] ?? ''
  return new Map(Array.from(first.matchAll(/^([^:\n]*?)\s*:\s*(.*)$/gm), ([, name = '', value = '']) => [name, value] as const))
}
