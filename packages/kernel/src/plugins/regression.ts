import type { Probation } from '../kernel.ts'
import type { Conduct } from '../calls/conduct.ts'
import type { Regression } from '../events.ts'

/** When a new version counts as worse than the one before it, if the host says nothing else. */
export const defaultProbation: Probation = Object.freeze({
  lookMs: 1_000,
  failedLooks: 2,
  leastFaults: 5,
  faultPercent: 10,
  leastCalls: 100,
  slowerTimes: 5,
  slowerFloorMs: 50,
  memoryTimes: 3,
  memoryFloorMiB: 64,
})

/** What made a new version be taken back, and the figures. */
export interface Finding {
  readonly reason: Regression
  readonly evidence: string
}

/** What a new version is compared with: how the one before does, or did. */
export interface Yardstick {
  readonly faultPercent: number
  readonly timed: number
  readonly p99Ms: () => number
}

/** Whether more of the new generation's calls fail by its fault than of the old one's. */
export function moreFaults(rules: Probation, older: Yardstick, newer: Conduct): Finding | undefined {
  if (newer.faults < rules.leastFaults || newer.faultPercent < older.faultPercent + rules.faultPercent) return undefined
  const share = `${newer.faults} of ${newer.calls} calls failed (${newer.faultPercent.toFixed(1)} %)`
  return { reason: 'faults', evidence: `${share}; of the version before ${older.faultPercent.toFixed(1)} % did` }
}

/** Whether the new generation is slower; `running` are ages of calls that have not ended, ms. */
export function slower(rules: Probation, older: Yardstick, newer: Conduct, running: readonly number[]): Finding | undefined {
  if (older.timed < rules.leastCalls || newer.timed + running.length < rules.leastCalls) return undefined
  const [beforeMs, nowMs] = [older.p99Ms(), newer.p99Ms(running)]
  if (nowMs <= rules.slowerFloorMs || nowMs <= beforeMs * rules.slowerTimes) return undefined
  const evidence = `99 of 100 calls take up to ${nowMs.toFixed(1)} ms, ${beforeMs.toFixed(1)} ms in the version before`
  return { reason: 'slow', evidence }
}

/** Whether the new generation holds more memory; undefined where the tier cannot tell. */
export function larger(rules: Probation, beforeBytes: number | undefined, nowBytes: number | undefined): Finding | undefined {
  if (beforeBytes === undefined || nowBytes === undefined) return undefined
  const isMore = nowBytes - beforeBytes > rules.memoryFloorMiB * 1024 ** 2
  if (!isMore || nowBytes <= beforeBytes * rules.memoryTimes) return undefined
  const mebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1)
  return {
    reason: 'memory',
    evidence: `it holds ${mebibytes(nowBytes)} MiB, ${mebibytes(beforeBytes)} MiB in the version before`,
  }
}
