import type { Kernel, PluginRecord } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { reaches } from '../guard/caller.ts'
import type { Peer } from '../handler.ts'
import { explainPlugin } from '../why/explain-plugin.ts'
import type { Finding } from '../why/finding.ts'
import { CallRates } from './call-rates.ts'
import { definitions, type SystemView, type TopView, type WhyView } from './inspection-definitions.ts'
import { conditionDetail, conditionView, violationsOf } from './plugin-condition.ts'
import { findPlugin } from './plugin-id.ts'
import { profileAnswer } from './profile-answer.ts'
import { shownGeneration } from './plugin-status.ts'
import { visiblePlugins } from './visible-plugins.ts'

/** What a machine has to hold plugins with, as the host found it. */
export interface SystemLayers {
  /** Whether the whole sandbox was built and ran. */
  readonly sandbox: boolean
  readonly layers: readonly {
    readonly layer: string
    readonly available: boolean
    readonly mechanism: string
    readonly detail: string
    readonly missing?: string
    readonly install?: string
  }[]
}

/** What the host adds to what can be looked at. */
export interface InspectionOptions {
  /** Asked for each answer of `GET /api/system`. */
  readonly system?: () => SystemLayers
  /** What is wrong with the host itself now, told by `GET /api/system`; none when nothing is. */
  readonly problems?: () => readonly string[]
  /** Names of profiles that were taken of a plugin by themselves; told by `GET /api/plugins/{id}/why`. */
  readonly profiles?: (plugin: string) => Promise<readonly string[]>
}

/** Adds what is looked at when a plugin misbehaves: system, top, usage, why, profile. */
export function addInspectionRoutes(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel, options: InspectionOptions): void {
  const { plugins, events } = kernel
  const rates = new CallRates()

  app.openapi(definitions.system, (context) => context.json(systemView(kernel, options), 200))

  app.openapi(definitions.top, (context) => {
    const running = plugins.list().filter(({ state }) => state.name === 'active' || state.name === 'draining')
    const { overMs, perSecond } = rates.look(running, performance.now())
    const visible = running.filter(({ id }) => reaches(context.env.caller, id))
    const rows = visible.map((record) => topRow(record, perSecond.get(record.id)))
    const over = overMs === undefined ? null : Math.round(overMs)
    return context.json({ at: new Date().toISOString(), over_ms: over, plugins: rows }, 200)
  })

  app.openapi(definitions.pluginUsage, (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const { id, state } = record
    const { usage, violations, denials } = conditionView(record)
    const { limits } = conditionDetail(record)
    const tier = state.name === 'active' ? state.tier : null
    return context.json(
      { plugin: id, state: state.name, generation: shownGeneration(record), tier, usage, limits, violations, denials },
      200,
    )
  })

  app.openapi(definitions.whyPlugin, async (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const profiles = await options.profiles?.(record.id)
    const refusal = await plugins.refusal(record.id, context.req.raw.signal)
    const looked = { ...(profiles === undefined ? {} : { profiles }), refusal }
    const findings = explainPlugin(record, events.since(0).events, looked).map(findingView)
    return context.json({ plugin: record.id, state: record.state.name, findings }, 200)
  })

  app.openapi(definitions.profilePlugin, async (context) => {
    const { id } = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const { kind = 'cpu', seconds = 5 } = context.req.valid('query')
    const left = AbortSignal.any([context.req.raw.signal, context.env.closing])
    return profileAnswer(plugins, id, { kind, durationMs: seconds * 1_000, signal: left })
  })
}

function findingView({ weight, what, because, evidence, hint }: Finding): z.output<typeof WhyView>['findings'][number] {
  const shown = evidence.map(({ text, seq, atMs }) => ({
    text,
    seq: seq ?? null,
    at: atMs === undefined ? null : new Date(atMs).toISOString(),
  }))
  return { weight, what, because, evidence: shown, hint: hint ?? null }
}

function systemView(kernel: Kernel, { system, problems }: InspectionOptions): z.output<typeof SystemView> {
  const found = system?.()
  return {
    host: { name: kernel.host.name, api: kernel.host.api },
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    sandbox: found?.sandbox ?? null,
    layers: (found?.layers ?? []).map(({ layer, available, mechanism, detail, missing, install }) => ({
      layer,
      available,
      mechanism,
      detail,
      missing: missing ?? null,
      install: install ?? null,
    })),
    problems: [...(problems?.() ?? [])],
  }
}

function topRow(record: PluginRecord, perSecond: number | undefined): z.output<typeof TopView>['plugins'][number] {
  const { id, version, state, counters, usage, denials } = record
  const active = state.name === 'active' ? state : undefined
  return {
    id,
    version,
    state: state.name,
    tier: active?.tier ?? null,
    generation: shownGeneration(record),
    pid: active?.pid ?? null,
    cpu_percent: usage?.cpuPercent ?? null,
    memory_bytes: usage?.memoryBytes ?? null,
    heap_bytes: usage?.heapBytes ?? null,
    stall_ms: usage?.stallMs ?? null,
    processes: usage?.processes ?? null,
    open_files: usage?.openFiles ?? null,
    calls: counters.calls,
    calls_per_second: perSecond ?? null,
    errors: counters.errors,
    active: counters.active,
    queued: counters.queued,
    p50_ms: counters.latency.p50Ms,
    p99_ms: counters.latency.p99Ms,
    violations: violationsOf(record),
    denials,
  }
}
