import type { PluginRecord } from '@backplane/kernel'
import type { Evidence, Finding } from './finding.ts'

/** Of a limit, from which on a plugin counts as near it. */
const near = 0.9
/** An event loop that stood still this long makes every call wait, ms. */
const noticedStallMs = 200
/** Fewer calls tell nothing of most. */
const fewCalls = 10
/** A call this much slower than the usual one is an outlier, when it also takes so long. */
const outlier = { times: 10, ms: 100 }

/** Why its calls take long. */
export function speedFindings(record: PluginRecord): readonly Finding[] {
  return [...waiting(record), ...processor(record), ...stall(record), ...memory(record), ...latency(record), ...errors(record)]
}

function waiting({ counters: { active, queued }, limits }: PluginRecord): readonly Finding[] {
  if (queued === 0) return []
  return [
    {
      weight: 'fault',
      what: `${queued} calls wait for a slot.`,
      because: `It runs ${active} calls at once${limits === undefined ? '' : `, of ${limits.concurrency} it may`}.`,
      evidence: [{ text: `active ${active}, queued ${queued}` }],
      hint: 'Raise its limit of concurrency, or call it less at once.',
    },
  ]
}

function processor({ usage, limits }: PluginRecord): readonly Finding[] {
  const percent = usage?.cpuPercent
  if (percent === undefined || limits === undefined || percent < limits.cpuPercent * near) return []
  return [
    {
      weight: 'fault',
      what: 'It uses all the processor it may.',
      because: `It used ${percent} of ${limits.cpuPercent} % of one processor.`,
      evidence: sampled(usage, `${percent} %`),
      hint: 'Take a profile of its processor time to see in which function.',
    },
  ]
}

function stall({ usage, worstStall }: PluginRecord): readonly Finding[] {
  const seen = worstStall ?? (usage === undefined ? undefined : { ms: usage.stallMs ?? 0, atMs: usage.atMs })
  if (seen === undefined || seen.ms < noticedStallMs) return []
  const { ms, atMs } = seen
  return [
    {
      // What it did minutes ago explains; what it does now keeps it from its work.
      weight: (usage?.stallMs ?? 0) < noticedStallMs ? 'notice' : 'fault',
      what: 'Its event loop stands still at times.',
      because: `It stood still for ${Math.round(ms)} ms; every call waited for as long.`,
      evidence: [{ text: `${Math.round(ms)} ms at ${new Date(atMs).toISOString()}, the longest of ten minutes`, atMs }],
      hint: 'Take a profile of its processor time; move long work to a worker or into small steps.',
    },
  ]
}

function memory({ usage, limits }: PluginRecord): readonly Finding[] {
  const bytes = usage?.memoryBytes ?? usage?.heapBytes
  if (bytes === undefined || limits === undefined || bytes < limits.memoryMiB * 1024 ** 2 * near) return []
  const heldMiB = Math.ceil(bytes / 1024 ** 2)
  return [
    {
      weight: 'fault',
      what: 'It holds nearly all the memory it may.',
      because: `It held ${heldMiB} of ${limits.memoryMiB} MiB; collecting garbage takes most of the time then.`,
      evidence: sampled(usage, `${heldMiB} MiB`),
      hint: 'Take a heap snapshot to see what it keeps, or raise its limit of memory.',
    },
  ]
}

function latency({ counters: { latency: times } }: PluginRecord): readonly Finding[] {
  const { p50Ms, p99Ms, count, sumMs } = times
  if (count < fewCalls || p99Ms < outlier.ms || p99Ms < p50Ms * outlier.times) return []
  return [
    {
      weight: 'notice',
      what: 'Some of its calls take much longer than most.',
      because: `Of 100 calls 50 end within ${round(p50Ms)} ms and 99 within ${round(p99Ms)} ms.`,
      evidence: [{ text: `${count} calls since the host started, ${round(sumMs / count)} ms on average` }],
    },
  ]
}

/** Codes that say that something was not granted: Node's own, and the broker's. */
const notGranted = /^(?:ERR_ACCESS_DENIED|EGRESS_DENIED|EGRESS_BY_NAME|EACCES|EPERM)$/

function errors({ counters: { calls, errors: failed }, recentFailures = [] }: PluginRecord): readonly Finding[] {
  if (failed === 0) return []
  const percent = round((100 * failed) / Math.max(1, calls))
  return [
    {
      weight: percent >= 10 ? 'fault' : 'notice',
      what: `${percent} % of its calls failed.`,
      because: `Of ${calls} calls since the host started ${failed} ended with an error.`,
      evidence: [
        { text: `calls ${calls}, errors ${failed}` },
        ...recentFailures.toReversed().map(({ atMs, method, code, message }): Evidence => {
          const coded = code === undefined ? '' : ` (${code})`
          return { text: `${method}: ${message}${coded}`, atMs }
        }),
      ],
      hint: recentFailures.some(({ code }) => notGranted.test(code ?? ''))
        ? 'It did what it has no permission for: its manifest must ask for that, or its code leave it.'
        : 'Look at the errors in its log.',
    },
  ]
}

function sampled(usage: PluginRecord['usage'], text: string): readonly Evidence[] {
  return usage === undefined ? [] : [{ text: `${text} at ${new Date(usage.atMs).toISOString()}`, atMs: usage.atMs }]
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
