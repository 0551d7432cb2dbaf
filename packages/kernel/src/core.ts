import type { Criticality } from '@backplane/sdk'
import type { Dispatcher } from './dispatcher.ts'
import type { EventRecorder } from './event-log.ts'
import type { Generation } from './generation.ts'
import type { InFlight } from './in-flight.ts'
import type { KernelOptions, PluginSettings, Policy, Times } from './kernel.ts'
import type { Candidate, Plugin } from './plugin.ts'
import type { PluginDirectories } from './plugin-directories.ts'
import type { Points } from './points.ts'
import type { Clock, Limits, Log, Store } from './ports.ts'
import type { Redactor } from './redactor.ts'
import type { Semaphore } from './semaphore.ts'

/** The parts of one kernel, as they see each other. Made once, by `createKernel`. */
export interface Core {
  readonly host: { readonly name: string; readonly api: string }
  readonly options: KernelOptions
  readonly policy: Policy
  readonly times: Times
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly events: EventRecorder
  readonly plugins: Map<string, Plugin>
  readonly points: Points
  readonly inFlight: InFlight
  readonly dispatcher: Dispatcher
  readonly directories: PluginDirectories
  readonly redactor: Redactor
  /** Starts at once: a hundred processes starting together are slower than ten at a time. */
  readonly starts: Semaphore
  /** Aborted when the kernel is disposed. */
  readonly stopping: AbortSignal
  readonly settingsOf: (candidate: Candidate) => PluginSettings
  readonly limitsOf: (candidate: Candidate) => Limits
  readonly criticalityOf: (candidate: Candidate) => Criticality
  /** Starts a plugin that is not running; many callers share one start. Errors: `PLUGIN_UNAVAILABLE`. */
  readonly activate: (plugin: Plugin) => Promise<Generation>
}
