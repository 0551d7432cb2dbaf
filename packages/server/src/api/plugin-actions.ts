import type { Kernel, PluginRecord } from '@backplane/kernel'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { findPlugin } from './plugin-id.ts'
import { stateReason } from './plugin-status.ts'
import { pluginDetail, stateVersion } from './plugin-view.ts'
import * as routes from './routes.ts'
import { turns } from './turns.ts'

/** Adds what changes plugins. Changes to one plugin go one after another, so that `If-Match` cannot be overtaken. */
export function addPluginActions(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel): void {
  const { plugins, points } = kernel
  const inTurn = turns()

  const change = async <T>(id: string, ifMatch: string | undefined, work: (record: PluginRecord) => Promise<T>): Promise<T> => {
    const { id: fullId } = findPlugin(plugins, id)
    return inTurn(fullId, () => {
      const record = findPlugin(plugins, fullId)
      checkPrecondition(record, ifMatch)
      return work(record)
    })
  }

  app.openapi(routes.refreshPlugins, async (context) => {
    const { failed, ...report } = await plugins.refresh()
    const reasons = failed.map((id) => {
      const state = plugins.get(id)?.state
      return { id, state: state?.name ?? 'discovered', reason: (state && stateReason(state)) ?? null }
    })
    const { added, updated, removed, unchanged } = report
    return context.json({ added: [...added], updated: [...updated], removed: [...removed], unchanged, failed: reasons }, 200)
  })

  app.openapi(routes.reloadPlugin, async (context) => {
    const { 'if-match': ifMatch } = context.req.valid('header')
    const record = await change(context.req.param('id'), ifMatch, (before) => reload(kernel, before))
    return context.json(pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` })
  })

  app.openapi(routes.enablePlugin, async (context) => {
    const { 'if-match': ifMatch } = context.req.valid('header')
    const record = await change(context.req.param('id'), ifMatch, ({ id }) => plugins.enable(id))
    return context.json(pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` })
  })

  app.openapi(routes.disablePlugin, async (context) => {
    const { 'if-match': ifMatch } = context.req.valid('header')
    const { reason } = context.req.valid('json') ?? {}
    const record = await change(context.req.param('id'), ifMatch, ({ id }) => plugins.disable(id, reason))
    return context.json(pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` })
  })

  app.openapi(routes.removePlugin, async (context) => {
    const { 'if-match': ifMatch } = context.req.valid('header')
    const keepState = context.req.valid('query').keep_state === 'true'
    await change(context.req.param('id'), ifMatch, ({ id }) => plugins.remove(id, { keepState }))
    return context.body(null, 204)
  })

  addUnescapedIds(app)
}

/** A reload that left the old generation serving did not do what was asked. */
async function reload(kernel: Kernel, before: PluginRecord): Promise<PluginRecord> {
  const after = await kernel.plugins.reload(before.id)
  const { update } = after
  if (update === undefined || update.atMs === before.update?.atMs) return after
  const { message, code, hint } = update.failure
  throw serverErrors.error(
    'SERVER_RELOAD_FAILED',
    { id: after.id, reason: message.endsWith('.') ? message : `${message}.`, version: after.version },
    { plugin: after.id, hint, details: { code, version: update.version } },
  )
}

/** Source: RFC 9110 §13.1.1. */
function checkPrecondition(record: PluginRecord, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return
  const tags = ifMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  if (!tags.includes(`"${stateVersion(record)}"`)) {
    throw serverErrors.error('SERVER_STATE_CHANGED', { id: record.id }, { plugin: record.id })
  }
}

/** `publisher/name` with its slash as it is means the same as with `%2F`; a method tells `…/reload` from a plugin `reload`. */
function addUnescapedIds(app: OpenAPIHono<{ Bindings: Peer }>): void {
  app.on(['GET', 'DELETE'], '/api/plugins/:publisher/:name', (context) => {
    const { publisher, name } = context.req.param()
    return app.fetch(at(context.req.raw, `/api/plugins/${encodeURIComponent(`${publisher}/${name}`)}`), context.env)
  })
  app.post('/api/plugins/:publisher/:name/:action', (context) => {
    const { publisher, name, action } = context.req.param()
    const id = encodeURIComponent(`${publisher}/${name}`)
    return app.fetch(at(context.req.raw, `/api/plugins/${id}/${encodeURIComponent(action)}`), context.env)
  })
}

function at(request: Request, pathname: string): Request {
  const url = new URL(request.url)
  url.pathname = pathname
  return new Request(url, request)
}
