import type { ExitCause, Limits, PluginRecord, UsageSample } from '@backplane/kernel'
import { z } from '@hono/zod-openapi'

const Time = z.string().describe('RFC 3339, UTC.')
const amount = z.number().nullable()

/** What a plugin used when it was last asked; null is what its tier cannot tell. */
export const UsageView = z
  .object({
    at: Time,
    cpu_percent: amount.describe('Of one processor, since the sample before.'),
    cpu_ms: amount.describe('Since the generation started.'),
    memory_bytes: amount.describe('Resident, of all its processes.'),
    heap_bytes: amount,
    stall_ms: amount.describe('Longest its event loop stood still since the sample before.'),
    processes: amount,
    open_files: amount,
  })
  .openapi('Usage')

const VersionView = z.object({ version: z.string(), digest: z.string().nullable() })

/** How a plugin does, beside its state. */
export const conditionShape = {
  trust: z
    .object({
      level: z.enum(['bundled', 'signed', 'unsigned']),
      publisher: z.string().nullable().describe('Who vouches for it.'),
      waived: z.array(z.string()).describe('What the policy let pass, and why.'),
    })
    .nullable()
    .describe('What the decision to let it run rests on; null before the first start.'),
  pinned: z.string().nullable().describe('The version it is pinned to by hand.'),
  held: z
    .object({
      why: z.enum(['moved back', 'failed', 'rolled back', 'not approved']),
      to: VersionView.describe('What serves.'),
      against: VersionView.describe('What the sources have.'),
      since: Time,
    })
    .nullable()
    .describe('Why a version that the sources have is not taken.'),
  probation: z
    .object({
      generation: z.int().nullable().describe('Kept ready; null after a restart of the host, when a fresh one would be started.'),
      version: z.string(),
      until: Time,
    })
    .nullable()
    .describe('The version before it, which takes over again if need be.'),
  usage: UsageView.nullable(),
  violations: z.record(z.string(), z.int()).describe('How often it went over each limit since the host started.'),
  denials: z.int().describe('How often it tried something it was not granted.'),
  health: z
    .object({ at: Time, failures: z.int().describe('Looks in a row without a good answer.'), problem: z.string().nullable() })
    .nullable(),
  last_exit: z
    .object({ generation: z.int(), at: Time, kind: z.string(), detail: z.string(), last_lines: z.array(z.string()) })
    .nullable()
    .describe('Its last end that nobody asked for.'),
} as const

/** What belongs to a plugin in full only. */
export const conditionDetailShape = {
  namespace: z.string().describe('The group whose limits it shares.'),
  limits: z.record(z.string(), z.number()).nullable().describe('What it may use; null before the first start.'),
  breakers: z
    .array(z.object({ point: z.string(), name: z.string(), state: z.string(), failures: z.int(), retry_at: Time.nullable() }))
    .describe('Its providers and handlers that failed not long ago.'),
} as const

const Condition = z.object(conditionShape)
const ConditionDetail = z.object(conditionDetailShape)

/** Shows how a plugin does. */
export function conditionView(record: PluginRecord): z.output<typeof Condition> {
  const { held, probation, usage, health, lastExit, trust } = record
  return {
    trust: trust === undefined ? null : { level: trust.level, publisher: trust.publisher ?? null, waived: [...trust.waived] },
    pinned: record.pinned ?? null,
    held:
      held === undefined
        ? null
        : { why: held.why, to: versionView(held.to), against: versionView(held.against), since: time(held.sinceMs) },
    probation:
      probation === undefined
        ? null
        : { generation: probation.generation ?? null, version: probation.version, until: time(probation.untilMs) },
    // What it used when it ran says nothing of one that does not.
    usage: usage === undefined || record.state.name !== 'active' ? null : usageView(usage),
    violations: { ...record.violations },
    denials: record.denials,
    health: health === undefined ? null : { at: time(health.atMs), failures: health.failures, problem: health.problem ?? null },
    last_exit:
      lastExit === undefined
        ? null
        : {
            generation: lastExit.generation,
            at: time(lastExit.atMs),
            kind: lastExit.cause.kind,
            detail: causeText(lastExit.cause),
            last_lines: 'lastLines' in lastExit.cause ? [...lastExit.cause.lastLines] : [],
          },
  }
}

/** Shows the rest of it. */
export function conditionDetail({ namespace, limits, breakers }: PluginRecord): z.output<typeof ConditionDetail> {
  return {
    namespace,
    limits: limits === undefined ? null : limitsView(limits),
    breakers: breakers.map(({ point, name, state, failures, retryAtMs }) => ({
      point,
      name,
      state,
      failures,
      retry_at: retryAtMs === undefined ? null : time(retryAtMs),
    })),
  }
}

/** Shows a sample. */
export function usageView(usage: UsageSample): z.output<typeof UsageView> {
  return {
    at: time(usage.atMs),
    cpu_percent: usage.cpuPercent ?? null,
    cpu_ms: usage.cpuMs ?? null,
    memory_bytes: usage.memoryBytes ?? null,
    heap_bytes: usage.heapBytes ?? null,
    stall_ms: usage.stallMs ?? null,
    processes: usage.processes ?? null,
    open_files: usage.openFiles ?? null,
  }
}

/** Ceilings by the names they have in JSON: `memory_mib`, `open_files`. */
function limitsView(limits: Limits): Record<string, number> {
  const snake = (name: string): string => name.replace('MiB', 'Mib').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [snake(name), Number(value)]))
}

/** How a generation ended, as a sentence's part. */
export function causeText(cause: ExitCause): string {
  switch (cause.kind) {
    case 'stopped':
      return 'it was stopped'
    case 'exit':
      return `it exited with code ${cause.code}`
    case 'signal':
      return `it was killed by ${cause.signal}`
    case 'memory':
    case 'protocol':
    case 'hang':
    case 'unhealthy':
    case 'limit':
      return cause.detail
  }
}

/** Of all limits together. */
export function violationsOf({ violations }: PluginRecord): number {
  return Object.values(violations).reduce((sum, count) => sum + count, 0)
}

function versionView({ version, digest }: { readonly version: string; readonly digest?: string }): z.output<typeof VersionView> {
  return { version, digest: digest ?? null }
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
