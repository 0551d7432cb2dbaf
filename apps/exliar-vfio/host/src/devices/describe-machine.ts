import type { GpuDevice, PciDevice, SystemInfo } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import { detectFacts, systemOf, type SystemFacts } from '../system/detect-system.ts'
import { detectGpus } from './detect-gpus.ts'
import { bundledGpuDatabase, type GpuDatabase } from './gpu-database.ts'
import { readDevices } from './read-devices.ts'

/** All that a report shows. */
export interface MachineDescription {
  readonly system: SystemInfo
  /** The same, each field with the file that says it. */
  readonly facts: SystemFacts
  readonly devices: readonly PciDevice[]
  readonly gpus: readonly GpuDevice[]
}

/** Looks at a machine's files and changes nothing. Errors: `TREE_ESCAPES`. */
export function describeMachine(tree: MachineTree, database: GpuDatabase = bundledGpuDatabase()): MachineDescription {
  const facts = detectFacts(tree)
  const system = systemOf(facts)
  const devices = readDevices(tree)
  return { system, facts, devices, gpus: detectGpus(devices, system, database, (device) => vramSize(tree, device)) }
}

/** AMD's driver tells its cards' memory in bytes; no other driver does. */
export function vramSize(tree: MachineTree, { sysfs_path: path }: Pick<PciDevice, 'sysfs_path'>): number | null {
  const bytes = tree.directory(path)?.attribute('mem_info_vram_total') ?? ''
  return /^\d{1,18}$/.test(bytes) ? Math.round(Number(bytes) / 1024 ** 2) : null
}
