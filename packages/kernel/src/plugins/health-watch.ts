import { boundedWait } from '../calls/bounded-wait.ts'
import { messageOf } from '../calls/thrown.ts'
import type { Core } from '../core.ts'
import type { Generation } from './generation.ts'

/**
 * Looks from time to time whether what runs answers, and says itself that it is well. One that does not several times in a
 * row is ended. Costs nothing while nothing runs.
 */
export class HealthWatch implements Disposable {
  readonly #core: Core
  readonly #running: ReadonlySet<Generation>
  readonly #looking = new Set<Generation>()
  #timer: Disposable | undefined

  constructor(core: Core, running: ReadonlySet<Generation>) {
    this.#core = core
    this.#running = running
  }

  /** Something runs now. */
  arm(): void {
    const { healthMs } = this.#core.supervisor.settings
    if (healthMs <= 0 || this.#running.size === 0) return
    this.#timer ??= this.#core.clock.after(healthMs, () => {
      this.#timer = undefined
      for (const generation of this.#running) void this.#look(generation)
      this.arm()
    })
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  async #look(generation: Generation): Promise<void> {
    const { plugin, instance } = generation
    if (plugin.serving !== generation || this.#looking.has(generation)) return
    this.#looking.add(generation)
    let kind: 'hang' | 'unhealthy' = 'hang'
    let problem: string | undefined
    const { answerMs } = this.#core.supervisor.settings
    try {
      await this.#inTime('a ping was not answered', instance.ping(answerMs))
      kind = 'unhealthy'
      await this.#inTime('its health check did not answer', instance.health(answerMs))
    } catch (error) {
      problem = messageOf(error)
    }
    this.#looking.delete(generation)
    if (plugin.serving === generation && generation.ended === undefined) this.#judge(generation, kind, problem)
  }

  #inTime(what: string, work: Promise<void>): Promise<void> {
    const { answerMs } = this.#core.supervisor.settings
    const error = (): Error => new Error(`${what} within ${answerMs} ms`)
    return boundedWait(work, { signal: this.#core.stopping, deadline: { clock: this.#core.clock, ms: answerMs, error } })
  }

  #judge(generation: Generation, kind: 'hang' | 'unhealthy', given: string | undefined): void {
    const { plugin } = generation
    const atMs = this.#core.clock.now()
    if (given === undefined) {
      plugin.health = { atMs, failures: 0 }
      return
    }
    const problem = this.#core.redactor.text(given).slice(0, 500)
    const failures = (plugin.health?.failures ?? 0) + 1
    plugin.health = { atMs, failures, problem }
    this.#core.log.write({ level: 'warn', message: `it does not do well: ${problem}`, plugin: plugin.id })
    if (failures < this.#core.supervisor.settings.unhealthyAfter) return
    const detail = `${problem}, ${failures} times in a row`
    this.#core.supervisor.end(generation, { kind, detail, lastLines: generation.lastLines() })
  }
}
