import type { Directories } from '@backplane/sdk'
import type { ActiveCall } from '../calls/active-call.ts'
import { Conduct } from '../calls/conduct.ts'
import type { CallGroup } from './namespaces.ts'
import type { Candidate, Plugin } from './plugin.ts'
import type { Contribution, Instance, LimitName, Limits } from '../ports.ts'
import type { DrainingGeneration } from '../record.ts'
import type { UseTally } from './use-tally.ts'
import type { UsageSample } from '../supervision.ts'

/** What a {@link Generation} is made of. */
export interface GenerationParts {
  readonly plugin: Plugin
  readonly number: number
  readonly candidate: Candidate
  readonly instance: Instance
  readonly limits: Limits
  readonly directories: Directories
  /** Data points' values the plugin added while it was set up, validated. */
  readonly data: readonly Contribution[]
  /** Frees what the host holds for the plugin: instances it opened at others. */
  readonly release: () => void
  /** The newest lines it wrote. */
  readonly lastLines: () => readonly string[]
  /** Counts what it uses of its permissions. */
  readonly uses: UseTally
}

/** What taking a call in comes to: it runs or waits, or there are too many of the plugin's or of its group's. */
export type Taken = 'taken' | 'full' | 'group-full'

/**
 * One start of one plugin. Calls, opened instances and leases belong to a generation and end on it; a retired one takes
 * no new callers by name and ends when nothing is left of them.
 */
export class Generation {
  readonly plugin: Plugin
  readonly number: number
  readonly candidate: Candidate
  readonly instance: Instance
  readonly limits: Limits
  readonly directories: Directories
  readonly data: readonly Contribution[]
  readonly release: () => void
  readonly conduct: Conduct = new Conduct()
  readonly lastLines: () => readonly string[]
  readonly uses: UseTally
  /** Limits it went over. */
  readonly exceeded: Set<LimitName> = new Set()
  /** What it used when it was last asked. */
  usage: UsageSample | undefined
  /** Counts the calls of its group, where those are limited. */
  group: CallGroup | undefined
  /** Calls the plugin may still be at work on although their deadlines are over. */
  overdue: readonly ActiveCall[] = []
  /** Calls not yet ended: running and waiting. */
  calls = 0
  running = 0
  opened = 0
  leases = 0
  /** Why it takes no calls any more, not even from those that hold it. */
  ended: Error | undefined
  retiredAtMs: number | undefined
  /** Which retirement is under way; another one, or none, after it was taken back into service. */
  retirement: symbol | undefined
  /** While it is kept ready after its last call: settles when it is no longer needed. */
  warm: PromiseWithResolvers<void> | undefined
  /** Set once it is taken out of service; settles when nothing of it runs any more. */
  gone: Promise<void> | undefined
  /** Told after each change of the counts above while the generation is retired. */
  changed: (() => void) | undefined
  readonly #waiting = new Set<ActiveCall>()
  readonly #methods = new Map<string, ReadonlySet<string>>()
  #controller: AbortController | undefined

  constructor(parts: GenerationParts) {
    this.plugin = parts.plugin
    this.number = parts.number
    this.candidate = parts.candidate
    this.instance = parts.instance
    this.limits = parts.limits
    this.directories = parts.directories
    this.data = parts.data
    this.release = parts.release
    this.lastLines = parts.lastLines
    this.uses = parts.uses
    for (const { point, name, methods } of parts.instance.contributions) this.#methods.set(`${point} ${name}`, new Set(methods))
  }

  /** Aborted with the reason when the generation can no longer be used. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.ended !== undefined) this.#controller.abort(this.ended)
    return this.#controller.signal
  }

  supplies(point: string, name: string, method: string): boolean {
    return this.#methods.get(`${point} ${name}`)?.has(method) ?? false
  }

  /** Takes a call in: runs it now, or lets it wait for a slot. */
  take(call: ActiveCall): Taken {
    const { group } = this
    const free = this.running < this.limits.concurrency
    if (!free && this.#waiting.size >= this.limits.queue) return 'full'
    if (group !== undefined) {
      if (group.calls >= group.most) return 'group-full'
      group.calls += 1
    }
    call.generation = this
    this.calls += 1
    if (free) {
      this.#run(call)
      return 'taken'
    }
    this.#waiting.add(call)
    call.counters.queued += 1
    return 'taken'
  }

  /** Gives back what {@link take} took; the next waiting call gets the slot. */
  drop(call: ActiveCall): void {
    this.calls -= 1
    if (this.group !== undefined) this.group.calls -= 1
    if (this.#waiting.delete(call)) {
      call.counters.queued -= 1
    } else {
      this.running -= 1
      call.counters.active -= 1
      const [next] = this.#waiting
      if (next !== undefined && this.running < this.limits.concurrency) {
        this.#waiting.delete(next)
        next.counters.queued -= 1
        this.#run(next)
      }
    }
    this.changed?.()
  }

  /** Refuses everything from now on, with this error. */
  end(reason: Error): void {
    if (this.ended !== undefined) return
    this.ended = reason
    this.warm?.resolve()
    this.#controller?.abort(reason)
  }

  drainingRecord(): DrainingGeneration {
    const { number, candidate, calls, leases, retiredAtMs } = this
    return { generation: number, version: candidate.version, calls, leases, sinceMs: retiredAtMs ?? 0 }
  }

  #run(call: ActiveCall): void {
    this.running += 1
    call.counters.active += 1
    call.run(this)
  }
}
