import type { Call } from '@backplane/sdk'
import type { GpuDevice, MetricsSample, PciDevice, RecordedChange, SystemInfo } from '@exliar-vfio/points'

/**
 * What the program offers its plugins. Who asks is in `call.caller`; permission and approval were checked before. What
 * changes the machine is journalled with that name. Errors are those the points name.
 */
export interface CoreServices {
  readonly system: (call: Call) => Promise<SystemInfo>
  readonly devices: (call: Call) => Promise<readonly PciDevice[]>
  readonly gpus: (call: Call) => Promise<readonly GpuDevice[]>
  readonly bind: (bdf: string, call: Call) => Promise<PciDevice>
  readonly unbind: (bdf: string, call: Call) => Promise<PciDevice>
  readonly parameters: (call: Call) => Promise<readonly string[]>
  readonly addParameters: (parameters: readonly string[], call: Call) => Promise<readonly string[]>
  readonly removeParameters: (parameters: readonly string[], call: Call) => Promise<readonly string[]>
  readonly changes: (call: Call) => Promise<readonly RecordedChange[]>
  readonly metrics: (domain: string, call: Call) => Promise<MetricsSample>
}
