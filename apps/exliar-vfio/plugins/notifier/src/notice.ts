import type { PciDevice, PluginEvent, VmStats } from '@exliar-vfio/points'
import { withoutSecrets } from './without-secrets.ts'

/** One message, before it has a form. */
export interface Notice {
  readonly event: 'vfio-bind' | 'vm-shutdown' | 'cleanup' | 'plugin-event' | 'test'
  /** RFC 3339. */
  readonly at: string
  readonly text: string
  readonly details: Readonly<Record<string, unknown>>
}

/** A function was bound. */
export function bindNotice(device: PciDevice, atMs: number): Notice {
  const { bdf, device_name: name, driver, iommu_group: group } = device
  return noticeOf('vfio-bind', `${bdf} (${name}) is driven by ${driver ?? 'nothing'} now`, { bdf, name, driver, group }, atMs)
}

const endings: Readonly<Record<VmStats['ended_by'], string>> = {
  shutdown: 'was shut down',
  destroyed: 'was switched off',
  crashed: 'crashed',
  migrated: 'runs on elsewhere',
  saved: 'was saved',
  failed: 'did not start',
  unknown: 'ended',
}

/** A machine ended. */
export function shutdownNotice(stats: VmStats, atMs: number): Notice {
  const { name, ended_by: endedBy, runtime_seconds: seconds } = stats
  const after = seconds === null || endedBy === 'failed' ? '' : ` after ${Math.round(seconds)} s`
  const details = { machine: name, ended_by: endedBy, runtime_seconds: seconds, devices: stats.devices.map(({ bdf }) => bdf) }
  return noticeOf('vm-shutdown', `${name} ${endings[endedBy]}${after}`, details, atMs)
}

/** Everything is about to be taken back. */
export function cleanupNotice(reason: string, atMs: number): Notice {
  return noticeOf('cleanup', `Everything that was changed is being taken back (${reason})`, { reason }, atMs)
}

/** Another plugin said something. What it says is its own affair, and may hold what nobody outside should see. */
export function pluginNotice(event: PluginEvent, sender: string, atMs: number): Notice {
  const details = { plugin: sender, type: event.type, payload: event.payload }
  return noticeOf('plugin-event', `${sender} says ${event.type}`, details, atMs)
}

/** Somebody wants to know whether messages arrive. */
export function testNotice(atMs: number): Notice {
  return noticeOf('test', 'Exliar can reach you', {}, atMs)
}

function noticeOf(event: Notice['event'], text: string, details: Notice['details'], atMs: number): Notice {
  const told = withoutSecrets({ text, details }) as Pick<Notice, 'text' | 'details'>
  return { event, at: new Date(atMs).toISOString(), ...told }
}
