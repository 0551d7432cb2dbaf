import { readFile, writeFile } from 'node:fs/promises'
import type { Case, NotTried, Verdict } from './cases/case.ts'
import { tierNames, type TierName } from './stage/tiers.ts'
import type { Others, TierResult } from './stage/run-tier.ts'

/** What the page is made from: what a run gave, case by case, and the figures of the run that was kept. */
export interface HostileResult {
  readonly cases: readonly RecordedCase[]
  /** Of one run on one machine. */
  readonly figures: Readonly<Partial<Record<TierName, Figures>>>
}

/** One line of the matrix. */
export interface RecordedCase {
  readonly id: string
  readonly title: string
  readonly note?: string
  readonly tiers: Readonly<Record<TierName, Verdict | NotTried>>
}

/** How everybody else fared in one tier, ms. */
export interface Figures {
  readonly quiet: Spread
  readonly attacked: Spread
  readonly health: Spread
  readonly failures: number
  readonly stoppedAfterMs: Readonly<Record<string, number>>
}

/** Of so many samples. */
export interface Spread {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const file = new URL('result.json', import.meta.url)

/** The result that is kept with the code. */
export async function readResult(): Promise<HostileResult> {
  return JSON.parse(await readFile(file, 'utf8')) as HostileResult
}

/** Keeps a run's result; the page is made from it. */
export async function writeResult(result: HostileResult): Promise<void> {
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`)
}

/** The line of one case, from what every tier gave. */
export function recorded(one: Case, given: ReadonlyMap<TierName, TierResult>): RecordedCase {
  const { id, title, note, expected } = one
  const entries = tierNames.map((tier) => {
    const found = given.get(tier)?.cases.find((result) => result.id === id)?.verdict
    return [tier, found ?? expected[tier]] as const
  })
  return { id, title, ...(note === undefined ? {} : { note }), tiers: Object.fromEntries(entries) as RecordedCase['tiers'] }
}

/** What a tier's run says about everybody else. */
export function figures({ others, stoppedAfterMs }: { others: Others; stoppedAfterMs: Figures['stoppedAfterMs'] }): Figures {
  const { quietMs, attackedMs, healthMs, failures } = others
  return {
    quiet: spread(quietMs),
    attacked: spread(attackedMs),
    health: spread(healthMs),
    failures: failures.length,
    stoppedAfterMs,
  }
}

function spread(tookMs: readonly number[]): Spread {
  const sorted = tookMs.toSorted((one, other) => one - other)
  const at = (part: number): number =>
    Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)) / 10
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
