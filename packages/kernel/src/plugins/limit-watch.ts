import type { Core } from '../core.ts'
import type { Generation } from './generation.ts'
import type { StallMark } from '../supervision.ts'
import { spentMore } from './spent-usage.ts'
import { isHeapTaken, stoodForHeap } from './take-profile.ts'
import type { LimitName, Usage } from '../ports.ts'

/** A processor's share is measured between two samples, which are never taken on the instant: so much over is not over. */
const cpuSlack = 1.1
const mebibyte = 1024 ** 2
/** For how long the worst is remembered, ms. */
const stallMemoryMs = 600_000
/** Looks in the time between two samples; in the middle one it is only asked whether it answers. */
const looksPerSample = 4

/**
 * Asks from time to time what runs uses, and holds it to its limits, where the tier itself has not. One that does not
 * answer stands still: that is judged by looks, not by the clock, so that a host that stood still itself blames nobody.
 */
export class LimitWatch implements Disposable {
  readonly #core: Core
  readonly #running: ReadonlySet<Generation>
  /** Looks since the question that is still open. */
  readonly #silent = new WeakMap<Generation, number>()
  #timer: Disposable | undefined
  #looks = 0

  constructor(core: Core, running: ReadonlySet<Generation>) {
    this.#core = core
    this.#running = running
  }

  /** Something runs now. */
  arm(): void {
    const { usageMs } = this.#core.supervisor.settings
    if (usageMs <= 0 || this.#timer !== undefined || !this.#watched().next().value) return
    const everyMs = usageMs / looksPerSample
    this.#timer = this.#core.clock.after(everyMs, () => {
      this.#timer = undefined
      this.#looks += 1
      for (const generation of this.#watched()) this.#look(generation, everyMs)
      this.arm()
    })
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  /** What the `trusted` tier uses cannot be told from what the host uses. */
  *#watched(): Generator<Generation> {
    for (const generation of this.#running) {
      if (generation.instance.tier !== 'trusted' && generation.ended === undefined) yield generation
    }
  }

  #look(generation: Generation, everyMs: number): void {
    const silent = this.#silent.get(generation)
    if (silent === undefined) {
      if (this.#looks % looksPerSample === 0) void this.#ask(generation, () => this.#sample(generation))
      else if (this.#looks % 2 === 0) void this.#ask(generation, () => generation.instance.ping(this.#patienceMs(generation)))
      return
    }
    if (isHeapTaken(generation)) return
    this.#silent.set(generation, silent + 1)
    const silentMs = (silent + 1) * everyMs
    if (silentMs >= generation.limits.stallMs) {
      this.#over(generation, 'stall', `did not answer for ${silentMs} of ${generation.limits.stallMs} ms`)
    }
  }

  async #ask(generation: Generation, question: () => Promise<void>): Promise<void> {
    this.#silent.set(generation, 0)
    try {
      await question()
    } catch {
      // one that cannot tell is held to what its tier holds it to; one that cannot answer is noticed by its silence
    } finally {
      this.#silent.delete(generation)
    }
  }

  async #sample(generation: Generation): Promise<void> {
    const usage = await generation.instance.usage(this.#patienceMs(generation))
    if (generation.ended === undefined) this.#weigh(generation, usage)
  }

  /** Long after it was found to stand still. */
  #patienceMs({ limits }: Generation): number {
    return 2 * limits.stallMs + this.#core.supervisor.settings.answerMs
  }

  #weigh(generation: Generation, usage: Usage): void {
    const { limits, plugin } = generation
    const before = generation.usage
    const atMs = this.#core.clock.now()
    const tookMs = atMs - (before?.atMs ?? atMs)
    // the one before was answered late: what it did in the moment since says nothing of its share
    if (before !== undefined && tookMs < this.#core.supervisor.settings.usageMs / 2) return
    const spentMs = (usage.cpuMs ?? 0) - (before?.cpuMs ?? 0)
    const cpuPercent = usage.cpuMs === undefined || tookMs <= 0 ? undefined : Math.round((100 * spentMs) / tookMs)
    generation.usage = { ...usage, atMs, cpuPercent }
    plugin.spent = spentMore(plugin.spent, usage, before)
    if (plugin.serving === generation) plugin.usage = generation.usage
    const excused = stoodForHeap(generation)
    const { stallMs = 0, processes = 0, openFiles = 0 } = usage
    if (!excused) plugin.worstStall = worseStall(plugin.worstStall, { ms: stallMs, atMs })
    const heldMiB = Math.ceil((usage.memoryBytes ?? usage.heapBytes ?? 0) / mebibyte)
    if (heldMiB > limits.memoryMiB) this.#over(generation, 'memory', `held ${heldMiB} MiB of ${limits.memoryMiB} MiB`)
    if (!excused && stallMs > limits.stallMs)
      this.#over(generation, 'stall', `stood still for ${stallMs} of ${limits.stallMs} ms`)
    if (processes > limits.processes) this.#over(generation, 'processes', `had ${processes} of ${limits.processes} processes`)
    if (openFiles > limits.openFiles) this.#over(generation, 'open-files', `had ${openFiles} of ${limits.openFiles} files open`)
    if (cpuPercent !== undefined && cpuPercent > limits.cpuPercent * cpuSlack)
      this.#over(generation, 'cpu', `used ${cpuPercent} of ${limits.cpuPercent} % of a processor`)
    this.#core.supervisor.namespaces.weigh(plugin.namespace)
  }

  #over({ plugin, number }: Generation, limit: LimitName, detail: string): void {
    this.#core.supervisor.violations.report(plugin.id, number, { kind: 'limit', limit, detail })
  }
}

function worseStall(known: StallMark | undefined, seen: StallMark): StallMark {
  const isWorse = known === undefined || seen.ms >= known.ms || seen.atMs - known.atMs > stallMemoryMs
  return isWorse ? seen : known
}
