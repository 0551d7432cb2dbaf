import type { SystemInfo } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Fact } from './fact.ts'

type InitSystem = SystemInfo['init_system']

/** Names the first process has. */
const names: ReadonlyMap<string, InitSystem> = new Map([
  ['systemd', 'systemd'],
  ['openrc-init', 'openrc'],
  ['runit', 'other'],
  ['runit-init', 'other'],
  ['s6-svscan', 'other'],
  ['dinit', 'other'],
])

/** What is only there when that system started the machine, then what is there when it is installed. */
const places: readonly (readonly [path: string, system: InitSystem])[] = [
  ['/run/systemd/system', 'systemd'],
  ['/run/openrc', 'openrc'],
  ['/usr/lib/systemd/systemd', 'systemd'],
  ['/lib/systemd/systemd', 'systemd'],
  ['/sbin/openrc-run', 'openrc'],
  ['/etc/inittab', 'sysvinit'],
]

export function initSystem(tree: MachineTree): Fact<InitSystem> {
  const first = tree.glance('/proc/1/comm')?.trim()
  // `init` is many a program's name.
  const named = first === undefined ? undefined : names.get(first)
  if (named !== undefined) return { value: named, evidence: '/proc/1/comm' }
  const found = places.find(([path]) => tree.has(path))
  if (found !== undefined) return { value: found[1], evidence: found[0] }
  return first === undefined ? { value: 'unknown', evidence: null } : { value: 'other', evidence: '/proc/1/comm' }
}
