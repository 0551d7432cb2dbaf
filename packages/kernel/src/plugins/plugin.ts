import type { Criticality } from '@backplane/sdk'
import type { CallCounters } from '../calls/counters.ts'
import { noCounters } from '../calls/counters.ts'
import type { Choices, KeptHold } from './choices.ts'
import type { Generation } from './generation.ts'
import { noGrants } from './permissions.ts'
import type { DeclaredManifest } from '../manifest-summary.ts'
import type { Breakers } from '../calls/breakers.ts'
import type {
  AcceptedManifest,
  Enforcement,
  FoundPackage,
  Grants,
  LimitName,
  Limits,
  PluginTrust,
  Source,
  StagedPackage,
} from '../ports.ts'
import type { AuditMode } from '../permission-use.ts'
import type { Probation } from './probation.ts'
import type { CallFailure, Failure, FailedUpdate, HealthRecord, Hold, LastExit, PluginRecord, PluginState } from '../record.ts'
import type { Started } from '../stages/start.ts'
import type { SpentUsage, StallMark, UsageSample } from '../supervision.ts'
import type { Troubles } from './troubles.ts'

/** One package as a source has it now, and what checking it came to. */
export interface Candidate {
  readonly id: string
  readonly version: string
  readonly source: Source
  readonly found: FoundPackage
  /** The part of the manifest that counts before a start. Undefined when the manifest could not be accepted. */
  readonly declared: DeclaredManifest | undefined
  /** The whole manifest; may be read when it is asked for. */
  readonly manifest: AcceptedManifest | undefined
  /** Why it may not run: of stage `check` here, of stage `resolve` once it was looked at among the others. */
  failure: Failure | undefined
  /** Why policy keeps it from running. */
  readonly denied: string | undefined
  readonly notes: readonly string[]
  /** Ids to be started before it; known once it was resolved. */
  needs: readonly string[]
  /** The bytes, once a generation was started from them; a fresh start after a crash loads the same ones. */
  staged: StagedPackage | undefined
}

/** What the operator says of a package. */
export interface Said {
  readonly criticalityOf: (candidate: Candidate) => Criticality
  readonly withheld: (candidate: Candidate) => readonly string[]
}

/** What the kernel holds of one plugin; {@link Plugin.record} is what it shows. */
export class Plugin {
  readonly id: string
  /** What serves, or would. */
  candidate: Candidate
  /** A newer package that is about to take over; a still newer one replaces it before its turn comes. */
  incoming: Candidate | undefined
  /** A newer package that could not take over; not tried again until the source changes. */
  rejected: Candidate | undefined
  state: PluginState = discovered
  sinceMs = 0
  generation = 0
  /** The newest generation of which anything ran. */
  launched = 0
  serving: Generation | undefined
  draining: readonly Generation[] = nothing
  /** What the serving generation was started with. */
  standing: Started | undefined
  /** Set while the serving generation is watched and the one before it kept warm. */
  probation: Probation | undefined
  /** Whether a fresh generation of the version before is about to take the place of what serves, or served. */
  isMovingBack = false
  update: FailedUpdate | undefined
  shadowed: readonly string[] = nothing
  grants: Grants = noGrants
  enforcement: readonly Enforcement[] = nothing
  audit: AuditMode | undefined
  counters: CallCounters | undefined
  limits: Limits | undefined
  digest: string | undefined
  trust: PluginTrust | undefined
  /** Set while a first start is under way: every caller waits for the same one. */
  starting: Promise<Generation> | undefined
  /** Why it is switched off or on its way out; policy's word is in the candidate. */
  off: string | undefined
  /** Set while it is on its way out: the newest departure is the one that counts. */
  departure: symbol | undefined
  /** Whether it is on its way out for good: nobody wants it any more. */
  isRemoved = false
  /** Grows whenever another generation takes over, so that watchers of a point see the change. */
  epoch = 0
  /** Unexpected ends and failed starts; undefined before the first. */
  troubles: Troubles | undefined
  lastExit: LastExit | undefined
  /** How often it went over each limit, and past a grant, since the host started. */
  violations: Map<LimitName, number> | undefined
  denials = 0
  /** What its serving generation used when it was last asked. */
  usage: UsageSample | undefined
  spent: SpentUsage | undefined
  worstStall: StallMark | undefined
  recentFailures: readonly CallFailure[] | undefined
  health: HealthRecord | undefined
  /** Its providers and handlers that failed not long ago. */
  breakers: Breakers | undefined
  /** The group whose limits it shares. */
  namespace = 'default'
  /** Whether the host was started without it, so that what it guards stays guarded. */
  isHeldBack = false
  /** What changes the plugin runs one after the other. */
  #turn: Promise<unknown> | undefined

  readonly #choices: Choices

  readonly #said: Said

  constructor(candidate: Candidate, choices: Choices, said: Said) {
    this.id = candidate.id
    this.candidate = candidate
    this.#choices = choices
    this.#said = said
  }

  /** Runs `work` after all earlier work on this plugin, whatever came of that. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn === undefined ? work() : this.#turn.then(work, work)
    const done = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#turn === done) this.#turn = undefined
      })
    this.#turn = done
    return turn
  }

  /**
   * Whether its handlers, values and providers count: it passed check, policy and resolve, waits for no approval, and nobody
   * switched it off.
   */
  get usable(): boolean {
    const { failure, denied } = this.candidate
    return failure === undefined && denied === undefined && this.off === undefined && this.state.name !== 'blocked'
  }

  /** Settles once no work on it is under way. */
  async quiet(): Promise<void> {
    while (this.#turn !== undefined) await this.#turn
  }

  /** Whether work on it is under way. */
  get isBusy(): boolean {
    return this.#turn !== undefined
  }

  record(): PluginRecord {
    const { candidate } = this
    const { criticalityOf, withheld } = this.#said
    const held = this.#choices.held(this.id)
    return {
      id: this.id,
      version: candidate.version,
      get manifest() {
        return candidate.manifest
      },
      get criticality() {
        return criticalityOf(candidate)
      },
      source: candidate.source.name,
      origin: candidate.source.origin,
      path: candidate.found.path,
      state: this.state,
      sinceMs: this.sinceMs,
      generation: this.generation,
      digest: this.digest,
      draining: this.draining.map((old) => old.drainingRecord()),
      update: this.update ?? held?.update,
      pinned: this.#choices.pinned(this.id),
      held: held === undefined ? undefined : shownHold(held),
      probation: this.probation?.record(),
      shadowed: this.shadowed,
      notes: candidate.notes,
      grants: this.grants,
      get withheld() {
        return withheld(candidate)
      },
      audit: this.audit,
      trust: this.trust,
      enforcement: this.enforcement,
      counters: this.counters?.snapshot() ?? noCounters,
      limits: this.limits,
      namespace: this.namespace,
      lastExit: this.lastExit,
      violations: Object.fromEntries(this.violations ?? []),
      denials: this.denials,
      usage: this.usage,
      spent: this.spent,
      worstStall: this.worstStall,
      recentFailures: this.recentFailures,
      health: this.health,
      breakers: this.breakers?.record() ?? nothing,
    }
  }
}

function shownHold({ why, to, against, sinceMs, update, permissions }: KeptHold): Hold {
  return {
    why,
    to,
    against,
    sinceMs,
    ...(update === undefined ? {} : { update }),
    ...(permissions === undefined ? {} : { permissions }),
  }
}

/** Why the plugin takes no calls in this state; undefined when it does (perhaps after starting). */
export function unavailableReason(state: PluginState): string | undefined {
  switch (state.name) {
    case 'discovered':
    case 'checked':
    case 'resolved':
      return 'it has not been resolved yet'
    case 'blocked':
      return state.reason
    case 'idle':
    case 'starting':
    case 'active':
    case 'stopped':
      return undefined
    case 'draining':
    case 'disabled':
      return state.reason
    case 'failed':
    case 'quarantined':
      return state.failure.message
  }
}

const nothing: readonly never[] = Object.freeze([])
const discovered: PluginState = { name: 'discovered' }
