import { createRoute, z } from '@hono/zod-openapi'
import { definitions as approvals } from '../approvals/approval-definitions.ts'
import { definitions as audit } from '../audit/audit-definitions.ts'
import { definitions as inspection } from './inspection-definitions.ts'
import { definitions as operations, later } from './operation-definitions.ts'
import { PluginDetail, PluginView } from './plugin-view.ts'
import { ChangeHeaders, Id, json, Precondition, problem, text } from './route-parts.ts'
import { definitions as installs } from '../installs/install-definitions.ts'
import { definitions as lock } from '../installs/lock-definitions.ts'
import { definitions as permissions } from '../installs/permission-definitions.ts'
import { definitions as tokens } from './token-definitions.ts'
import { definitions as versions } from './version-definitions.ts'

/** A page of plugins, sorted by id. */
export const PluginList = z
  .object({ plugins: z.array(PluginView), count: z.int().describe('In all, not on this page.'), next: z.string().nullable() })
  .openapi('PluginList')

/** What came of listing the sources again: ids by what was done, and what is not as wanted. */
export const RefreshView = z
  .object({
    added: z.array(z.string()),
    updated: z.array(z.string()),
    removed: z.array(z.string()),
    unchanged: z.int(),
    failed: z.array(z.object({ id: z.string(), state: z.string(), reason: z.string().nullable() })),
  })
  .openapi('Refresh')

/** Plugins that were found, best first. */
export const PluginSearch = z
  .object({
    plugins: z.array(PluginView),
    count: z.int(),
    query: z.string(),
    type: z.string().nullable(),
    tags: z.array(z.string()),
  })
  .openapi('PluginSearch')

/** Plugins by their status, whose sum is `total`; and by other things. */
export const PluginStats = z
  .object({
    total: z.int(),
    loaded: z.int(),
    failed: z.int(),
    disabled: z.int(),
    unloaded: z.int(),
    enabled: z.int().describe('Not switched off.'),
    built_in_count: z.int().describe('Of them ship with the host.'),
    namespace_count: z.int(),
    by_type: z.record(z.string(), z.int()).describe('Without those that have no type.'),
    by_status: z.record(z.string(), z.int()),
    resources: z
      .object({ memory_bytes: z.int(), cpu_percent: z.number(), processes: z.int() })
      .describe('What those that run use together, when they were last looked at.'),
  })
  .openapi('Stats')

/** What a probe is told, and why it is not ready. */
export const Health = z.object({ status: z.enum(['ok', 'ready', 'not-ready']), reasons: z.array(z.string()) }).openapi('Health')

const Flag = z.enum(['true', 'false']).optional()

export const listPlugins = createRoute({
  method: 'get',
  path: '/api/plugins',
  summary: 'List the plugins, sorted by id',
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(10_000).optional(),
      after: z.string().optional().describe('The `next` of the page before.'),
    }),
  },
  responses: { 200: json(PluginList, 'The plugins.'), default: problem },
})

export const searchPlugins = createRoute({
  method: 'get',
  path: '/api/plugins/search',
  summary: 'Find plugins by id, description, tag, type or what they contribute',
  request: {
    query: z
      .object({
        q: z.string().max(200).optional(),
        type: z.string().max(200).optional().describe('Only of this type.'),
        tags: z.string().max(200).optional().describe('Only with one of these tags: `cloud,backup`.'),
      })
      .refine(({ q, type, tags }) => (q ?? type ?? tags) !== undefined, 'one of q, type and tags is needed'),
  },
  responses: {
    200: json(PluginSearch, 'Best first.'),
    default: problem,
  },
})

export const pluginStats = createRoute({
  method: 'get',
  path: '/api/plugins/stats',
  summary: 'Count the plugins by status',
  responses: {
    200: json(PluginStats, 'The counts.'),
    default: problem,
  },
})

export const builtinPlugins = createRoute({
  method: 'get',
  path: '/api/plugins/builtin',
  summary: 'The plugins that ship with the host',
  responses: { 200: json(PluginList, 'Sorted by id.'), default: problem },
})

/** In a few words how a plugin stands. */
export const ShortStatus = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.string(),
    state: z.string(),
    enabled: z.boolean(),
    reason: z.string().nullable(),
  })
  .openapi('PluginStatus')

export const pluginStatusOf = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/status',
  summary: 'In a few words how a plugin stands',
  request: { params: z.object({ id: Id }) },
  responses: { 200: json(ShortStatus, 'The status.'), default: problem },
})

export const refreshPlugins = createRoute({
  method: 'post',
  path: '/api/plugins/reload',
  summary: 'List the sources again and apply what changed',
  request: { headers: ChangeHeaders },
  responses: { 200: json(RefreshView, 'What was done.'), ...later, default: problem },
})

export const getPlugin = createRoute({
  method: 'get',
  path: '/api/plugins/{id}',
  summary: 'One plugin in full; the ETag is its state',
  request: { params: z.object({ id: Id }) },
  responses: { 200: json(PluginDetail, 'The plugin.'), default: problem },
})

const action = <const Path extends string>(path: Path, summary: string) =>
  createRoute({
    method: 'post',
    path,
    summary,
    request: { params: z.object({ id: Id }), headers: Precondition },
    responses: { 200: json(PluginDetail, 'The plugin afterwards.'), ...later, default: problem },
  })

export const reloadPlugin = action('/api/plugins/{id}/reload', 'Start a new generation beside the serving one')
export const enablePlugin = action('/api/plugins/{id}/enable', 'Enable a disabled plugin')
/** The same for clients that set a state. */
export const setEnabled = createRoute({ ...enablePlugin, method: 'put' })

const DisabledPlugin = PluginDetail.extend({
  users: z.array(z.string()).describe('What used it when it was disabled: instances, jobs, calls, leases.'),
}).openapi('DisabledPlugin')

export const disablePlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/disable',
  summary: 'Drain and stop a plugin until it is enabled again; it stays listed, and what used it is named',
  request: {
    params: z.object({ id: Id }),
    headers: Precondition,
    body: { content: { 'application/json': { schema: z.strictObject({ reason: z.string().max(500).optional() }) } } },
  },
  responses: { 200: json(DisabledPlugin, 'The plugin afterwards, and who goes without it.'), ...later, default: problem },
})
/** The same for clients that set a state. */
export const setDisabled = createRoute({ ...disablePlugin, method: 'put' })

export const removePlugin = createRoute({
  method: 'delete',
  path: '/api/plugins/{id}',
  summary: 'Uninstall a plugin, or forget one that lies in a folder until that changes; 409 while something uses or needs it',
  request: {
    params: z.object({ id: Id }),
    headers: Precondition,
    query: z.object({
      keep_state: Flag.describe('Keep what it stored.'),
      deleteFiles: Flag.describe('Also delete its files.'),
      with_users: Flag.describe('Also what needs it, where it is installed.'),
      force: Flag.describe('Also while something uses it: what it is at is ended.'),
    }),
  },
  responses: { 204: { description: 'Done.' }, ...later, default: problem },
})

export const streamEvents = createRoute({
  method: 'get',
  path: '/api/events',
  summary: 'Events as they happen (SSE), resumable; `gap` says which are no longer kept, `restarted` that numbers began anew',
  request: {
    query: z.object({ since: z.string().optional().describe('Send what came after this event: its id or number.') }),
    headers: z.object({ 'last-event-id': z.string().optional() }),
  },
  responses: { 200: text('text/event-stream', 'Events; an `id` is what to resume from.'), default: problem },
})

export const healthz = createRoute({
  method: 'get',
  path: '/healthz',
  summary: 'Whether the process answers',
  responses: { 200: json(Health, 'It does.') },
})

export const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'Whether it should be given work',
  responses: { 200: json(Health, 'It should.'), 503: json(Health, 'It should not, and why.') },
})

export const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Prometheus metrics',
  responses: { 200: text('text/plain', 'Text format 0.0.4.'), default: problem },
})

/** All routes, for the document. */
export const routes = [
  listPlugins,
  searchPlugins,
  pluginStats,
  builtinPlugins,
  pluginStatusOf,
  refreshPlugins,
  getPlugin,
  reloadPlugin,
  enablePlugin,
  setEnabled,
  disablePlugin,
  setDisabled,
  removePlugin,
  ...Object.values(versions),
  ...Object.values(inspection),
  ...Object.values(operations),
  ...Object.values(tokens),
  ...Object.values(audit),
  ...Object.values(approvals),
  ...Object.values(installs),
  ...Object.values(lock),
  ...Object.values(permissions),
  streamEvents,
  healthz,
  readyz,
  metrics,
] as const
