import { createHash } from 'node:crypto'
import type { Failure, PluginRecord } from '@backplane/kernel'
import type { Point } from '@backplane/sdk'
import { z } from '@hono/zod-openapi'
import { conditionDetail, conditionDetailShape, conditionShape, conditionView } from './plugin-condition.ts'
import { pluginStatus, shownGeneration, stateReason } from './plugin-status.ts'

const Time = z.string().describe('RFC 3339, UTC.')

/** Why a plugin could not be used: the stage that failed, and what to do about it. */
const FailureView = z
  .object({ stage: z.string(), code: z.string(), message: z.string(), hint: z.string().nullable() })
  .openapi('Failure')

/** One plugin as the API shows it. */
export const PluginView = z
  .object({
    name: z.string().describe('The part of the id after the slash.'),
    id: z.string().describe('publisher/name.'),
    version: z.string(),
    type: z.string().nullable().describe('The first provider it contributes, else the kind of its first point.'),
    status: z.enum(['loaded', 'failed', 'disabled', 'unloaded']).describe('A projection of `state`.'),
    loaded_at: Time.nullable().describe('When it started, or became ready to be started by its first call.'),
    path: z.string(),
    state: z.string(),
    reason: z.string().nullable().describe('Why it is in this state.'),
    since: Time.describe('When the state was entered.'),
    generation: z.int().describe('The one that serves, else the newest start; 0 before the first.'),
    description: z.string().nullable(),
    source: z.string(),
    origin: z.enum(['bundled', 'external']),
    audit: z
      .object({ on: z.boolean(), reason: z.string().nullable() })
      .nullable()
      .describe('Whether it runs in audit mode, and if it was to and does not, why; null: it was not to.'),
    withheld: z.array(z.string()).describe('Permissions it asks for that are kept from it.'),
    tier: z.string().nullable().describe('Where it runs; null when it does not.'),
    pid: z.int().nullable(),
    digest: z.string().nullable().describe('Of the bytes last loaded.'),
    failure: FailureView.nullable(),
    update: z
      .object({ version: z.string(), at: Time, failure: FailureView })
      .nullable()
      .describe('The last update, when it failed and the old version went on.'),
    draining: z
      .array(z.object({ generation: z.int(), version: z.string(), calls: z.int(), leases: z.int(), since: Time }))
      .describe('Older generations still finishing calls.'),
    counters: z.object({
      calls: z.int(),
      errors: z.int(),
      active: z.int(),
      queued: z.int(),
      latency_ms: z.object({ count: z.int(), mean: z.number(), p50: z.number(), p99: z.number() }),
    }),
    ...conditionShape,
    state_version: z.string().describe('Changes with the state; also the ETag, for If-Match.'),
  })
  .openapi('Plugin')
/** What {@link PluginView} describes. */
export type PluginView = z.output<typeof PluginView>

/** One plugin with everything the kernel knows of it. */
export const PluginDetail = PluginView.extend({
  tags: z.array(z.string()),
  author: z.string().nullable(),
  license: z.string().nullable(),
  api: z.string().nullable().describe('The range of the host API it asks for.'),
  contributes: z.record(z.string(), z.array(z.string())).describe('Names by point id.'),
  dependencies: z.array(z.object({ id: z.string(), range: z.string(), optional: z.boolean() })),
  permissions: z.array(z.string()).describe('As the manifest asks for them.'),
  grants: z.object({
    fs_read: z.array(z.string()),
    fs_write: z.array(z.string()),
    exec: z.array(z.string()),
    net: z.array(z.string()),
    host: z.array(z.string()).describe("Permissions of the host's own."),
  }),
  enforcement: z
    .array(z.object({ what: z.string(), level: z.enum(['exact', 'coarse', 'none']), mechanism: z.string() }))
    .describe('How each permission and limit is enforced where it runs.'),
  ...conditionDetailShape,
  criticality: z.string().nullable(),
  shadowed: z.array(z.string()).describe('Packages with this id that lost by precedence.'),
  notes: z.array(z.string()).describe('Worth knowing and not wrong enough to refuse.'),
}).openapi('PluginDetail')
/** What {@link PluginDetail} describes. */
export type PluginDetail = z.output<typeof PluginDetail>

/** Shows a record. */
export function pluginView(record: PluginRecord, points: readonly Point[]): PluginView {
  const { state, counters, update } = record
  const active = state.name === 'active' ? state : undefined
  const status = pluginStatus(state)
  const failed = state.name === 'failed' || state.name === 'quarantined' ? state.failure : undefined
  const { count, sumMs, p50Ms, p99Ms } = counters.latency
  return {
    name: record.id.slice(record.id.lastIndexOf('/') + 1),
    id: record.id,
    version: record.version,
    type: pluginType(record, points),
    status,
    loaded_at: status === 'loaded' ? time(active?.startedAtMs ?? record.sinceMs) : null,
    path: record.path,
    state: state.name,
    reason: stateReason(state) ?? null,
    since: time(record.sinceMs),
    generation: shownGeneration(record),
    description: record.manifest?.description ?? null,
    source: record.source,
    origin: record.origin,
    audit: record.audit === undefined ? null : { on: record.audit.isOn, reason: record.audit.isOn ? null : record.audit.reason },
    withheld: [...(record.withheld ?? [])],
    tier: active?.tier ?? null,
    pid: active?.pid ?? null,
    digest: record.digest ?? null,
    failure: failed === undefined ? null : failureView(failed),
    update:
      update === undefined ? null : { version: update.version, at: time(update.atMs), failure: failureView(update.failure) },
    draining: record.draining.map(({ sinceMs, ...rest }) => ({ ...rest, since: time(sinceMs) })),
    counters: {
      calls: counters.calls,
      errors: counters.errors,
      active: counters.active,
      queued: counters.queued,
      latency_ms: { count, mean: count === 0 ? 0 : sumMs / count, p50: p50Ms, p99: p99Ms },
    },
    ...conditionView(record),
    state_version: stateVersion(record),
  }
}

/** Shows a record in full. */
export function pluginDetail(record: PluginRecord, points: readonly Point[]): PluginDetail {
  const { manifest, grants } = record
  const contributes = Object.entries(manifest?.contributes ?? {}).map(([point, names]) => [point, Object.keys(names)] as const)
  return {
    ...pluginView(record, points),
    tags: [...(manifest?.tags ?? [])],
    author: manifest?.author ?? null,
    license: manifest?.license ?? null,
    api: manifest?.requires.api ?? null,
    contributes: Object.fromEntries(contributes),
    dependencies: (manifest?.dependencies ?? []).map(({ id, range, optional }) => ({ id, range, optional: optional ?? false })),
    permissions: [...(manifest?.permissions ?? [])],
    grants: {
      fs_read: [...grants.fsRead],
      fs_write: [...grants.fsWrite],
      exec: [...grants.exec],
      net: [...grants.net],
      host: [...grants.host],
    },
    enforcement: record.enforcement.map((one) => ({ ...one })),
    ...conditionDetail(record),
    criticality: record.criticality ?? manifest?.criticality ?? null,
    shadowed: [...record.shadowed],
    notes: [...record.notes],
  }
}

/** Differs whenever anything but the counters, the drains and what was measured may have changed. */
export function stateVersion(record: PluginRecord): string {
  const { id, version, generation, state, sinceMs, digest, update, pinned, held } = record
  const text = JSON.stringify([id, version, generation, state.name, sinceMs, digest, update?.atMs, pinned, held?.sinceMs])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function pluginType(record: PluginRecord, points: readonly Point[]): string | null {
  const contributes = record.manifest?.contributes ?? {}
  const filled = Object.keys(contributes).flatMap((id) => points.find((point) => point.id === id) ?? [])
  const provider = filled.find((point) => point.kind === 'provider')
  if (provider === undefined) return filled[0]?.kind ?? null
  return Object.keys(contributes[provider.id] ?? {})[0] ?? 'provider'
}

function failureView(failure: Failure): z.output<typeof FailureView> {
  const { stage, code, message, hint } = failure
  return { stage, code, message, hint: hint ?? null }
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
