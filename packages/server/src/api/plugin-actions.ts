import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono, RouteHandler } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'
import { askedChange, refusedUpdate, type PluginChange } from './plugin-change.ts'
import { stateReason } from './plugin-status.ts'
import { pluginDetail, stateVersion } from './plugin-view.ts'
import { removePlugin, type RemovalParts } from '../installs/remove-plugin.ts'
import { usersOf } from '../installs/plugin-users.ts'
import * as routes from './routes.ts'
import { turns } from './turns.ts'

/** Adds what changes plugins. */
export function addPluginActions(
  app: OpenAPIHono<{ Bindings: Peer }>,
  kernel: Kernel,
  { change, removing }: { readonly change: PluginChange; readonly removing: Omit<RemovalParts, 'kernel'> },
): void {
  const { plugins, points } = kernel
  const inTurn = turns()

  app.openapi(routes.refreshPlugins, async (context) => {
    const { failed, ...report } = await inTurn('all plugins', () => plugins.refresh())
    const reasons = failed.map((id) => {
      const state = plugins.get(id)?.state
      return { id, state: state?.name ?? 'discovered', reason: (state && stateReason(state)) ?? null }
    })
    const { added, updated, removed, unchanged } = report
    return context.json({ added: [...added], updated: [...updated], removed: [...removed], unchanged, failed: reasons }, 200)
  })

  app.openapi(routes.reloadPlugin, async (context) => {
    const record = await change(askedChange(context), async (before) =>
      refusedUpdate('SERVER_RELOAD_FAILED', before, await plugins.reload(before.id)),
    )
    return context.json(pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` })
  })

  const enable: RouteHandler<typeof routes.enablePlugin, { Bindings: Peer }> = async (context) => {
    const record = await change(askedChange(context), ({ id }) => plugins.enable(id))
    return context.json(pluginDetail(record, points), 200, { ETag: `"${stateVersion(record)}"` })
  }
  app.openapi(routes.enablePlugin, enable)
  app.openapi(routes.setEnabled, enable)

  const disable: RouteHandler<typeof routes.disablePlugin, { Bindings: Peer }> = async (context) => {
    const { reason } = context.req.valid('json') ?? {}
    let users: readonly string[] = []
    const record = await change(askedChange(context), (before) => {
      users = usersOf(before, removing.users)
      return plugins.disable(before.id, reason)
    })
    const ghost = { ...pluginDetail(record, points), users: [...users] }
    return context.json(ghost, 200, { ETag: `"${stateVersion(record)}"` })
  }
  app.openapi(routes.disablePlugin, disable)
  app.openapi(routes.setDisabled, disable)

  app.openapi(routes.removePlugin, async (context) => {
    const { keep_state, deleteFiles, with_users, force } = context.req.valid('query')
    const { caller } = context.env
    const removal = {
      keepState: keep_state === 'true',
      deleteFiles: deleteFiles === 'true',
      withUsers: with_users === 'true',
      force: force === 'true',
      caller,
    }
    const work = { signal: context.req.raw.signal, onProgress: context.env.onProgress, by: caller?.name }
    await change(askedChange(context), (record) => removePlugin({ ...removing, kernel }, record, removal, work))
    return context.body(null, 204)
  })
}
