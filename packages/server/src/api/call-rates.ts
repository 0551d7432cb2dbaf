import type { PluginRecord } from '@backplane/kernel'

/** Looks nearer to each other than this share their answer, ms. */
const leastMs = 500

/** Calls per second by plugin, and over how long. */
export interface Rates {
  readonly overMs: number | undefined
  readonly perSecond: ReadonlyMap<string, number>
}

/** Calls per second of each plugin since the look before; over nothing the first time. */
export class CallRates {
  #before: { readonly atMs: number; readonly calls: ReadonlyMap<string, number> } | undefined
  #answer: Rates = { overMs: undefined, perSecond: new Map() }

  /** `nowMs` never goes back. */
  look(records: readonly PluginRecord[], nowMs: number): Rates {
    const before = this.#before
    if (before !== undefined && nowMs - before.atMs < leastMs) return this.#answer
    const calls = new Map(records.map(({ id, counters }) => [id, counters.calls]))
    this.#before = { atMs: nowMs, calls }
    if (before === undefined) return this.#answer
    const overMs = nowMs - before.atMs
    const rate = (id: string, count: number): number => (1_000 * (count - (before.calls.get(id) ?? 0))) / overMs
    this.#answer = { overMs, perSecond: new Map([...calls].map(([id, count]) => [id, Math.max(0, rate(id, count))])) }
    return this.#answer
  }
}
