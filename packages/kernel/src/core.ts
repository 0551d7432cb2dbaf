import type { Criticality } from '@backplane/sdk'
import { Approvals } from './calls/approvals.ts'
import { Choices } from './plugins/choices.ts'
import { type CallEnds, Dispatcher } from './calls/dispatcher.ts'
import { createEventLog, type EventRecorder } from './event-log.ts'
import { noteFailed } from './calls/breakers.ts'
import { rememberFailure } from './calls/recent-failures.ts'
import { noteExpired, noteFull, noteNotPermitted } from './calls/call-limits.ts'
import { endFailed } from './calls/failed-call.ts'
import { fallBack } from './plugins/fall-back.ts'
import type { Generation } from './plugins/generation.ts'
import { History } from './plugins/history.ts'
import { InFlight } from './calls/in-flight.ts'
import type { KernelOptions, PluginSettings, Policy, Times } from './kernel.ts'
import { activateForCall } from './plugins/lifecycle.ts'
import { defaultTimes, effectiveLimits } from './plugins/limits.ts'
import { memoryStore } from './memory-store.ts'
import { checkVocabulary, noVocabulary } from './plugins/permissions.ts'
import type { Candidate, Plugin } from './plugins/plugin.ts'
import { PluginDirectories } from './plugins/plugin-directories.ts'
import type { Predecessor } from './plugins/probation.ts'
import { PluginStates } from './plugins/plugin-states.ts'
import { StagedBytes } from './plugins/staged-bytes.ts'
import { Points } from './points/points.ts'
import type { Clock, Limits, Log, Store } from './ports.ts'
import type { Failure } from './record.ts'
import { Redactor } from './redactor.ts'
import { Refusals } from './calls/refusals.ts'
import { Semaphore } from './calls/semaphore.ts'
import { isolationOf } from './stages/start-plan.ts'
import { Supervisor } from './supervise.ts'
import { withinNamespace } from './supervision.ts'
import type { StageResult } from './stages/stage-result.ts'
import { Trials } from './plugins/trials.ts'
import { resumeTrial, watch } from './plugins/move-back.ts'
import type { Started } from './stages/start.ts'
import { Switches } from './plugins/switches.ts'
import { Uses } from './plugins/uses.ts'
import { systemClock } from './system-clock.ts'
import { unapproved, withheld } from './stages/admission.ts'
import { tellCalls } from './calls/tell-call.ts'
import { messageOf } from './calls/thrown.ts'

/** The parts of one kernel, as they see each other. Made once, by `createKernel`. */
export interface Core {
  readonly host: { readonly name: string; readonly api: string }
  readonly options: KernelOptions
  readonly policy: Policy
  readonly times: Times
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly switches: Switches
  readonly choices: Choices
  readonly history: History
  readonly trials: Trials
  readonly uses: Uses
  readonly events: EventRecorder
  readonly plugins: Map<string, Plugin>
  readonly points: Points
  readonly inFlight: InFlight
  readonly dispatcher: Dispatcher
  readonly directories: PluginDirectories
  readonly states: PluginStates
  readonly stagedBytes: StagedBytes
  readonly redactor: Redactor
  readonly starts: Semaphore
  readonly supervisor: Supervisor
  /** Whether the host was started without it. */
  readonly isHeldBack: (candidate: Candidate) => boolean
  /** Why a plugin is switched off; undefined when it is not. */
  readonly offReason: (candidate: Candidate) => string | undefined
  /** Permissions it asks for that nobody approved. */
  readonly unapproved: (candidate: Candidate) => readonly string[]
  /** Permissions it asks for that the operator keeps from it. */
  readonly withheld: (candidate: Candidate) => readonly string[]
  /** Aborted when the kernel is disposed. */
  readonly stopping: AbortSignal
  /** Throws what the host's own function throws. */
  readonly settingsOf: (candidate: Candidate) => PluginSettings
  readonly limitsOf: (candidate: Candidate) => Limits
  readonly criticalityOf: (candidate: Candidate) => Criticality
  /** Starts a plugin for a call; many callers share one start. Errors: `PLUGIN_UNAVAILABLE`. */
  readonly activate: (plugin: Plugin) => Promise<Generation>
  /** Starts the version that served last in the place of one that cannot be started; undefined when there is none. */
  readonly fallBack: (plugin: Plugin, failure: Failure) => Promise<StageResult<Generation> | undefined>
  /** Goes on watching a version whose probation was cut short. */
  readonly resumeTrial: (plugin: Plugin, started: Started) => void
  /** Watches a version that took over from another. */
  readonly watch: (plugin: Plugin, newer: Started, older: Predecessor) => void
  /** Lists the sources again and begins what follows from it, without waiting for that to be done. */
  readonly relist: () => Promise<unknown>
  /** Lets work go on by itself; what it throws is a mistake of the kernel, and logged. */
  readonly inBackground: (plugin: Plugin, work: Promise<unknown>) => void
}

/** Plugins being started at the same time: a hundred processes starting together are slower than eight at a time. */
const startsAtOnce = 8

/** Puts the parts together. Errors: `POINT_INVALID`, `POINT_SCHEMA_ASYNC`, `PERMISSION_NAME_INVALID`. */
export function createCore(options: KernelOptions, stopping: AbortSignal, relist: Core['relist']): Core {
  checkVocabulary(options.permissions ?? noVocabulary)
  const clock = options.clock ?? systemClock
  const log = options.log ?? { write: () => undefined }
  const inFlight = new InFlight(clock, log)
  const refusals = new Refusals()
  const store = options.store ?? memoryStore()
  const directories = new PluginDirectories(options.dataDirectory)
  const policy = options.policy ?? {}
  const switches = new Switches(store)
  const isHeldBack = ({ source }: Candidate): boolean => options.safeMode === true && source.origin === 'external'
  const limitsOf = (candidate: Candidate): Limits =>
    withinNamespace(
      effectiveLimits(candidate.manifest?.limits, ceilingsOf(options, candidate), {
        trust: isolationOf({ policy }, candidate).trust,
        settings: settingsOf(options, candidate).limits,
      }),
      supervisor.namespaces.limitsOf(candidate.id),
    )
  const times: Times = { ...defaultTimes, ...options.times }
  const ends: CallEnds = { inFlight, failed: (call, thrown) => endFailed(core, call, thrown) }
  const core: Core = {
    host: options.host,
    options,
    policy,
    times,
    clock,
    log,
    store,
    switches,
    choices: new Choices(store, log),
    history: new History(store, clock, log),
    trials: new Trials(store, log),
    uses: new Uses(store, clock, log),
    events: createEventLog(clock, log),
    plugins: new Map(),
    points: new Points(options.points, log, options.permissions),
    inFlight,
    dispatcher: new Dispatcher({
      ...ends,
      stopMs: times.stopMs,
      limitsOf: (plugin) => (plugin.limits ??= limitsOf(plugin.candidate)),
      refused: (plugin, route, error) => refusals.record(core, plugin, route, error),
      approval: (subject, request, left) => approvals.before(subject, request, left),
      notPermitted: (caller, route, error) => noteNotPermitted(core, caller, route, error),
      full: (generation, taken, error) => noteFull(core, generation, taken, error),
    }),
    directories,
    states: new PluginStates(store, directories, log),
    get supervisor() {
      return supervisor
    },
    isHeldBack,
    offReason: (candidate) =>
      switches.reason(candidate.id) ??
      (isHeldBack(candidate) ? 'the host runs in safe mode, without external plugins' : undefined),
    unapproved: (candidate) => unapproved(options.admission, candidate),
    withheld: (candidate) => withheld(options.admission, candidate),
    stagedBytes: new StagedBytes(),
    redactor: new Redactor(),
    starts: new Semaphore(startsAtOnce),
    stopping,
    settingsOf: (candidate) => settingsOf(options, candidate),
    limitsOf,
    criticalityOf: (candidate) => criticalityOf(options, candidate),
    activate: (plugin) => activateForCall(core, plugin),
    fallBack: (plugin, failure) => fallBack(core, plugin, failure),
    resumeTrial: (plugin, started) => resumeTrial(core, plugin, started),
    watch: (plugin, newer, older) => watch(core, plugin, newer, older),
    relist,
    inBackground: (plugin, work) => {
      work.catch((error: unknown) => log.write({ level: 'error', message: messageOf(error), plugin: plugin.id }))
    },
  }
  const approvals = new Approvals(core, (plugin, route, error) => refusals.record(core, plugin, route, error))
  const supervisor = new Supervisor(core)
  inFlight.watcher = {
    failed: (call, error) => {
      rememberFailure(core, call, error)
      noteFailed(core, call, error)
    },
    expired: (call) => noteExpired(core, call),
  }
  if (options.onCall !== undefined) inFlight.ended = tellCalls(options.onCall, log)
  return core
}

const noSettings: PluginSettings = Object.freeze({})

function settingsOf(options: KernelOptions, { id, declared }: Candidate): PluginSettings {
  return (declared === undefined ? undefined : options.settings?.(id, declared)) ?? noSettings
}

function ceilingsOf({ limits = {} }: KernelOptions, { id, source }: Candidate): Partial<Limits> {
  return typeof limits === 'function' ? limits({ id, origin: source.origin }) : limits
}

/** Settings that cannot be read keep a plugin from starting; they do not change what its failure means. */
function criticalityOf(options: KernelOptions, candidate: Candidate): Criticality {
  const declared = candidate.declared?.criticality ?? 'optional'
  try {
    return settingsOf(options, candidate).criticality ?? declared
  } catch {
    return declared
  }
}
