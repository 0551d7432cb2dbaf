import { createRoute, z } from '@hono/zod-openapi'
import { UsageView } from './plugin-condition.ts'
import { Id, json, problem } from './route-parts.ts'

/** Most a profile of the processor may take, seconds. */
const longestProfileSeconds = 60
const amount = z.number().nullable()

/** What a machine has to hold plugins with. */
export const SystemView = z
  .object({
    host: z.object({ name: z.string(), api: z.string() }),
    node: z.string(),
    platform: z.string(),
    sandbox: z.boolean().nullable().describe('Whether the whole sandbox was built and ran; null when the host does not say.'),
    layers: z.array(
      z.object({
        layer: z.string().describe('Stable.'),
        available: z.boolean(),
        mechanism: z.string(),
        detail: z.string().describe('What it stops.'),
        missing: z.string().nullable(),
        install: z.string().nullable().describe('The command that makes it available.'),
      }),
    ),
    problems: z.array(z.string()).describe('What is wrong with the host itself now; empty when nothing is.'),
  })
  .openapi('System')

/** What one plugin uses, and what it may. */
export const PluginUsageView = z
  .object({
    plugin: z.string(),
    state: z.string(),
    generation: z.int(),
    tier: z.string().nullable(),
    usage: UsageView.nullable().describe('Null while it does not run, and in a tier that cannot be told from the host.'),
    limits: z.record(z.string(), z.number()).nullable(),
    violations: z.record(z.string(), z.int()),
    denials: z.int(),
  })
  .openapi('PluginUsage')

/** What every running plugin uses and does; bytes and ms as named, counts since the host started. */
export const TopView = z
  .object({
    at: z.string().describe('RFC 3339, UTC.'),
    over_ms: z.int().nullable().describe('What calls_per_second is over: since somebody looked before; null the first time.'),
    plugins: z.array(
      z.object({
        id: z.string(),
        version: z.string(),
        state: z.string(),
        tier: z.string().nullable(),
        generation: z.int(),
        pid: z.int().nullable(),
        cpu_percent: amount,
        memory_bytes: amount,
        heap_bytes: amount,
        stall_ms: amount,
        processes: amount,
        open_files: amount,
        calls: z.int(),
        calls_per_second: amount,
        errors: z.int(),
        active: z.int(),
        queued: z.int(),
        p50_ms: z.number(),
        p99_ms: z.number(),
        violations: z.int(),
        denials: z.int(),
      }),
    ),
  })
  .openapi('Top')

/** Why a plugin is as it is: its state first, then faults before notices. */
export const WhyView = z
  .object({
    plugin: z.string(),
    state: z.string(),
    findings: z.array(
      z.object({
        weight: z.enum(['fault', 'notice', 'fine']),
        what: z.string(),
        because: z.string(),
        evidence: z.array(
          z.object({ text: z.string(), seq: z.int().nullable().describe('Of the event.'), at: z.string().nullable() }),
        ),
        hint: z.string().nullable(),
      }),
    ),
  })
  .openapi('Why')

const system = createRoute({
  method: 'get',
  path: '/api/system',
  summary: 'What this machine has to hold plugins with, and what is missing',
  responses: { 200: json(SystemView, 'The layers.'), default: problem },
})

const top = createRoute({
  method: 'get',
  path: '/api/top',
  summary: 'What every running plugin uses and does',
  responses: { 200: json(TopView, 'Sorted by id.'), default: problem },
})

const pluginUsage = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/usage',
  summary: 'What one plugin uses, and what it may',
  request: { params: z.object({ id: Id }) },
  responses: { 200: json(PluginUsageView, 'The newest sample.'), default: problem },
})

const whyPlugin = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/why',
  summary: 'Why a plugin is as it is: its state, what it was refused, its limits, its version, its speed',
  description:
    'Of one that is idle its files are hashed, and looked through where that is due, to say whether its first call will start it.',
  request: { params: z.object({ id: Id }) },
  responses: { 200: json(WhyView, 'Its state first, then faults before notices.'), default: problem },
})

const profilePlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/profile',
  summary: 'Profile a running plugin; a heap snapshot holds what the plugin holds, its secrets too',
  request: {
    params: z.object({ id: Id }),
    query: z.object({
      kind: z.enum(['cpu', 'heap']).optional().describe('Default cpu.'),
      seconds: z.coerce.number().min(0.1).max(longestProfileSeconds).optional().describe('Of the processor. Default 5.'),
    }),
  },
  responses: {
    200: {
      description: 'A `.cpuprofile` or `.heapsnapshot` file, as it is made.',
      content: { 'application/octet-stream': { schema: z.string() } },
    },
    default: problem,
  },
})

/** All of them. */
export const definitions = { system, top, pluginUsage, whyPlugin, profilePlugin } as const
