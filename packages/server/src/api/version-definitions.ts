import { createRoute, z } from '@hono/zod-openapi'
import { later } from './operation-definitions.ts'
import { PluginDetail } from './plugin-view.ts'
import { Id, json, Precondition, problem } from './route-parts.ts'

const Version = z.string().max(100)
const body = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } })
const change = { params: z.object({ id: Id }), headers: Precondition }
const afterwards = { 200: json(PluginDetail, 'The plugin afterwards.'), ...later, default: problem }

/** The versions of a plugin that served or were to serve, newest first. */
export const HistoryView = z
  .object({
    plugin: z.string(),
    entries: z.array(
      z.object({
        version: z.string(),
        digest: z.string().nullable(),
        state_version: z.int().describe('Of the form of its stored state.'),
        from: z.string().describe('RFC 3339, UTC.'),
        to: z.string().nullable().describe('RFC 3339, UTC; null while it serves.'),
        outcome: z.enum(['serving', 'replaced', 'moved back', 'rolled back', 'failed']),
        reason: z.string().nullable(),
      }),
    ),
  })
  .openapi('History')

const pluginHistory = createRoute({
  method: 'get',
  path: '/api/plugins/{id}/history',
  summary: 'Versions that served or were to serve, newest first',
  request: { params: z.object({ id: Id }) },
  responses: { 200: json(HistoryView, 'The newest 20.'), default: problem },
})

const rollbackPlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/rollback',
  summary: 'Put an earlier version in the place of the one that serves; it stays until the sources have something new',
  request: {
    ...change,
    body: body(z.strictObject({ to: Version.optional().describe('A version of its history. Default: the one before.') })),
  },
  responses: afterwards,
})

const pinPlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/pin',
  summary: 'Let only one version serve, whatever the sources have',
  request: { ...change, body: body(z.strictObject({ version: Version.optional().describe('Default: the one that serves.') })) },
  responses: afterwards,
})

const unpinPlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/unpin',
  summary: 'Take the pin off',
  request: change,
  responses: afterwards,
})

const releasePlugin = createRoute({
  method: 'post',
  path: '/api/plugins/{id}/release',
  summary: 'Let a plugin out of quarantine and forget its troubles',
  request: change,
  responses: afterwards,
})

/** All of them. */
export const definitions = { pluginHistory, rollbackPlugin, pinPlugin, unpinPlugin, releasePlugin } as const
