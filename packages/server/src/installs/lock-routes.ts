import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { turns } from '../api/turns.ts'
import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { definitions } from './lock-definitions.ts'
import type { PluginInstalls } from './plugin-installs.ts'
import { workOf, type WorkContext } from './work-of.ts'

/** What looks after the lock and the store. */
export interface LockRoutes {
  readonly installs: PluginInstalls
  /** Shared with what installs. */
  readonly inTurn: ReturnType<typeof turns>
}

/** Adds what shows, checks, restores and carries away what is installed. */
export function addLockRoutes(app: OpenAPIHono<{ Bindings: Peer }>, { plugins }: Kernel, { installs, inTurn }: LockRoutes): void {
  app.openapi(definitions.showLock, async (context) => {
    const { lock, etag } = await installs.lock()
    return context.json(Object(lock) as Record<string, unknown>, 200, { ETag: `"${etag}"` })
  })

  app.openapi(definitions.verifyLock, async (context) => {
    const problems = await inTurn('store', () => installs.verify(workOf(context)))
    return context.json({ ok: problems.length === 0, problems: [...problems] }, 200)
  })

  app.openapi(definitions.restoreLock, async (context) => {
    const { restored, failed } = await inTurn('installs', async () => {
      const { bundle } = context.req.valid('json') ?? {}
      const report = await installs.restore(workOf(context), bundle)
      if (report.restored.length > 0) await plugins.refresh()
      return report
    })
    const told = failed.map(({ id, error: { code, message, hint } }) => ({ id, code, message, hint: hint ?? null }))
    return context.json({ restored: [...restored], failed: told }, 200)
  })

  app.openapi(definitions.makeBundle, async (context) => {
    const { digest, sizeBytes, plugins: ids } = await inTurn('bundles', () => installs.bundle(workOf(context)))
    return context.json({ digest, size_bytes: sizeBytes, plugins: [...ids], location: `/api/lock/bundles/${digest}` }, 200)
  })

  app.openapi(definitions.readBundle, async (context) => {
    const { digest } = context.req.valid('param')
    const found = await installs.readBundle(digest)
    if (found === undefined) throw serverErrors.error('SERVER_BUNDLE_UNKNOWN', { digest })
    const headers = {
      'content-type': 'application/gzip',
      'content-length': String(found.sizeBytes),
      'content-disposition': 'attachment; filename="plugins.bundle"',
    }
    return new Response(ReadableStream.from(found.bytes), { headers })
  })

  app.openapi(definitions.collectStore, async (context) => {
    const { packages, uploads } = await inTurn('installs', () => installs.collect(workOf(context)))
    return context.json({ packages, uploads }, 200)
  })

  const examine = async (context: WorkContext, fix: boolean) => {
    const findings = await inTurn('installs', () => installs.examine(workOf(context), fix))
    if (findings.some(({ fixed }) => fixed)) await plugins.refresh()
    return { ok: findings.every(({ fixed }) => fixed), findings: [...findings] }
  }
  app.openapi(definitions.findings, async (context) => context.json(await examine(context, false), 200))
  app.openapi(definitions.repairStore, async (context) => context.json(await examine(context, true), 200))
}
