import type { HistoryEntry, Kernel, PluginRecord } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'
import { askedChange, refusedUpdate, type PluginChange } from './plugin-change.ts'
import { findPlugin } from './plugin-id.ts'
import { pluginDetail, stateVersion } from './plugin-view.ts'
import { definitions, type HistoryView } from './version-definitions.ts'
import { visiblePlugins } from './visible-plugins.ts'

/** Adds what decides which version serves, and what lets a plugin out of quarantine. */
export function addVersionRoutes(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel, change: PluginChange): void {
  const { plugins, points } = kernel
  const answer = (record: PluginRecord) => [pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` }] as const

  app.openapi(definitions.pluginHistory, async (context) => {
    const { id } = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const entries = await plugins.history(id)
    return context.json({ plugin: id, entries: entries.map(historyView) }, 200)
  })

  app.openapi(definitions.rollbackPlugin, async (context) => {
    const { to } = context.req.valid('json') ?? {}
    const record = await change(askedChange(context), async (before) => {
      const after = await plugins.rollback(before.id, to === undefined ? {} : { to })
      return refusedUpdate('SERVER_ROLLBACK_FAILED', before, after)
    })
    return context.json(...answer(record))
  })

  app.openapi(definitions.pinPlugin, async (context) => {
    const { version } = context.req.valid('json') ?? {}
    const record = await change(askedChange(context), (before) => plugins.pin(before.id, version ?? before.version))
    return context.json(...answer(record))
  })

  app.openapi(definitions.unpinPlugin, async (context) => {
    const record = await change(askedChange(context), ({ id }) => plugins.pin(id, undefined))
    return context.json(...answer(record))
  })

  app.openapi(definitions.releasePlugin, async (context) => {
    const record = await change(askedChange(context), ({ id }) => plugins.release(id))
    return context.json(...answer(record))
  })
}

function historyView(entry: HistoryEntry): z.output<typeof HistoryView>['entries'][number] {
  return {
    version: entry.version,
    digest: entry.digest ?? null,
    state_version: entry.stateVersion,
    from: new Date(entry.fromMs).toISOString(),
    to: entry.toMs === undefined ? null : new Date(entry.toMs).toISOString(),
    outcome: entry.outcome,
    reason: entry.reason ?? null,
  }
}
