import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'
import { findPlugin } from './plugin-id.ts'
import { pluginStats } from './plugin-stats.ts'
import { pluginDetail, pluginView, stateVersion } from './plugin-view.ts'
import * as routes from './routes.ts'
import { searchPlugins } from './search.ts'
import { visiblePlugins } from './visible-plugins.ts'

/** Adds what reads: list, search, stats, one plugin. The fixed routes come before `/{id}`, so no plugin hides them. */
export function addPluginRoutes(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel): void {
  const { plugins, points } = kernel

  app.openapi(routes.listPlugins, (context) => {
    const { limit, after } = context.req.valid('query')
    const all = visiblePlugins(plugins, context.env.caller).list()
    const rest = after === undefined ? all : all.filter((record) => record.id > after)
    const page = rest.slice(0, limit)
    const next = page.length < rest.length ? (page.at(-1)?.id ?? null) : null
    return context.json({ plugins: page.map((record) => pluginView(record, points)), count: all.length, next }, 200)
  })

  app.openapi(routes.searchPlugins, (context) => {
    const { q: text, type, tags: written } = context.req.valid('query')
    const tags = written?.split(',').map((tag) => tag.trim())
    const visible = visiblePlugins(plugins, context.env.caller).list()
    const searchable = visible.map((record) => ({
      view: pluginView(record, points),
      tags: record.manifest?.tags ?? [],
      contributes: Object.values(record.manifest?.contributes ?? {}).flatMap((names) => Object.keys(names)),
    }))
    const found = searchPlugins(searchable, { text, type, tags })
    return context.json({ plugins: found, count: found.length, query: text ?? '', type: type ?? null, tags: tags ?? [] }, 200)
  })

  app.openapi(routes.pluginStats, (context) => {
    return context.json(pluginStats(visiblePlugins(plugins, context.env.caller).list(), points), 200)
  })

  app.openapi(routes.builtinPlugins, (context) => {
    const all = visiblePlugins(plugins, context.env.caller).list()
    const views = all.filter(({ origin }) => origin === 'bundled').map((record) => pluginView(record, points))
    return context.json({ plugins: views, count: views.length, next: null }, 200)
  })

  app.openapi(routes.pluginStatusOf, (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const { id, name, status, state, reason } = pluginView(record, points)
    return context.json({ id, name, status, state, enabled: state !== 'disabled', reason }, 200)
  })

  app.openapi(routes.getPlugin, (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    context.header('ETag', `"${stateVersion(record)}"`)
    return context.json(pluginDetail(record, points), 200)
  })
}
