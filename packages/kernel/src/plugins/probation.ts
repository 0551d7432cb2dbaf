import { exitText } from '../calls/call-error.ts'
import { messageOf } from '../calls/thrown.ts'
import type { Conduct } from '../calls/conduct.ts'
import type { Core } from '../core.ts'
import type { Generation } from './generation.ts'
import { inTime } from './prove.ts'
import { defaultProbation, type Finding, larger, moreFaults, slower, type Yardstick } from './regression.ts'
import type { Probation as Rules } from '../kernel.ts'
import type { ExitCause, LimitName, Usage } from '../ports.ts'
import type { ProbationRecord } from '../record.ts'
import type { Started } from '../stages/start.ts'
import type { Trial, TrialFigures, VersionBytes } from './trials.ts'

/** Limits that callers reach, not the plugin, and the processor's: whoever has just started and takes all calls is busy. */
const innocent: ReadonlySet<LimitName> = new Set(['concurrency', 'time', 'cpu'])

/** The version before: kept warm, or after a restart of the host only what is known of it. */
export interface Predecessor extends VersionBytes {
  readonly started: Started | undefined
  readonly figures: TrialFigures
}

/** What a {@link Probation} is made of. */
export interface ProbationParts {
  /** Serves and is watched. */
  readonly newer: Started
  /** Served before. */
  readonly older: Predecessor
  /** Called once, when the new one is found to be worse; the probation is over then. */
  readonly worse: (finding: Finding) => void
  /** Called once, when it is known what the one before holds. */
  readonly weighed: (memoryBytes: number) => void
  /** Called once, when the time is over and nothing was found. */
  readonly passed: () => void
}

/**
 * The time after an update in which the new generation is watched and the old one kept warm. It ends by itself, or by the
 * first thing in which the new one is worse than the old one.
 */
export class Probation implements Disposable {
  readonly newer: Started
  readonly older: Predecessor
  readonly #core: Core
  readonly #parts: ProbationParts
  readonly #rules: Rules
  readonly #untilMs: number
  #timer: Disposable | undefined
  #over = false
  #failedChecks = 0
  #largeLooks = 0
  readonly #before: Promise<number | undefined>
  readonly #yardstick: Yardstick
  readonly #exceeded: ReadonlySet<LimitName>

  constructor(core: Core, parts: ProbationParts) {
    this.#core = core
    this.#parts = parts
    this.newer = parts.newer
    this.older = parts.older
    this.#rules = { ...defaultProbation, ...core.options.probation }
    this.#untilMs = core.clock.now() + core.times.probationMs
    const { started, figures } = this.older
    if (started !== undefined) started.generation.warm = Promise.withResolvers()
    this.#yardstick = started?.generation.conduct ?? { ...figures, p99Ms: () => figures.p99Ms }
    this.#exceeded = started?.generation.exceeded ?? new Set(figures.exceeded)
    this.#before = started === undefined ? Promise.resolve(figures.memoryBytes) : this.#memoryBytes(started)
    void this.#before.then((bytes) => bytes === undefined || this.#over || parts.weighed(bytes))
    this.newer.generation.conduct.faulted = () => this.#judge(moreFaults(this.#rules, ...this.#conducts))
    this.#wait()
  }

  /** Whether this is the generation that is watched. */
  watches(generation: Generation): boolean {
    return this.newer.generation === generation
  }

  /** Whether going over a limit says that the new version is worse: not if callers reach it, or the old one did too. */
  isWorse(limit: LimitName): boolean {
    return !innocent.has(limit) && !this.#exceeded.has(limit)
  }

  /** The watched generation went over a limit, and that is worse. */
  overLimit(limit: LimitName, detail: string): void {
    this.#judge({ reason: 'limit', evidence: `it went over its limit of ${limit}: ${detail}` })
  }

  /** The watched generation ended by itself. */
  ended(cause: ExitCause): void {
    this.#judge({ reason: 'ended', evidence: exitText(cause) })
  }

  /** Ends it without a finding: another version came, or the plugin stops. */
  [Symbol.dispose](): void {
    if (this.#over) return
    this.#end()
    this.older.started?.generation.warm?.resolve()
  }

  record(): ProbationRecord {
    const { started, version } = this.older
    return { generation: started?.generation.number, version, untilMs: this.#untilMs }
  }

  #wait(): void {
    const leftMs = this.#untilMs - this.#core.clock.now()
    this.#timer = this.#core.clock.after(Math.min(this.#rules.lookMs, leftMs), () => void this.#look())
  }

  async #look(): Promise<void> {
    const running = this.#core.inFlight.agesMs(this.newer.generation)
    this.#judge(moreFaults(this.#rules, ...this.#conducts) ?? slower(this.#rules, ...this.#conducts, running))
    await Promise.all([this.#checkHealth(), this.#checkMemory()])
    if (this.#over) return
    if (this.#core.clock.now() < this.#untilMs) return this.#wait()
    this[Symbol.dispose]()
    this.#parts.passed()
  }

  get #conducts(): readonly [Yardstick, Conduct] {
    return [this.#yardstick, this.newer.generation.conduct]
  }

  async #checkHealth(): Promise<void> {
    try {
      await inTime(this.#core, 'its health check', this.newer.generation.instance.health(this.#core.times.proveMs))
      this.#failedChecks = 0
    } catch (error) {
      this.#failedChecks += 1
      const often = `${this.#failedChecks} times in a row`
      if (this.#failedChecks >= this.#rules.failedLooks)
        this.#judge({ reason: 'unhealthy', evidence: `its health check failed ${often}: ${messageOf(error)}` })
    }
  }

  async #checkMemory(): Promise<void> {
    const finding = larger(this.#rules, await this.#before, await this.#memoryBytes(this.newer))
    this.#largeLooks = finding === undefined ? 0 : this.#largeLooks + 1
    if (this.#largeLooks >= this.#rules.failedLooks) this.#judge(finding)
  }

  /** What the tier can tell is compared with the same of the other: resident memory, or else the heap. */
  async #memoryBytes({ generation }: Started): Promise<number | undefined> {
    try {
      const usage: Usage = await inTime(this.#core, 'its usage', generation.instance.usage(this.#core.times.proveMs))
      return usage.memoryBytes ?? usage.heapBytes
    } catch {
      return undefined
    }
  }

  #judge(finding: Finding | undefined): void {
    if (finding === undefined || this.#over || this.#core.stopping.aborted) return
    this.#end()
    this.#parts.worse({ ...finding, evidence: this.#core.redactor.text(finding.evidence) })
  }

  #end(): void {
    this.#over = true
    this.#timer?.[Symbol.dispose]()
    this.newer.generation.conduct.faulted = undefined
  }
}

/** What is kept of a probation. */
export function trialOf({ generation, digest }: Started, { version, digest: before, figures }: Predecessor): Trial {
  return { newer: { version: generation.candidate.version, digest }, older: { version, digest: before }, figures }
}
