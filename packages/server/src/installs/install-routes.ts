import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { askedChange, type PluginChange } from '../api/plugin-change.ts'
import { pluginView } from '../api/plugin-view.ts'
import { turns } from '../api/turns.ts'
import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { definitions, installFromJson, type AppliedView, type ChangeView } from './install-definitions.ts'
import { planView } from './install-views.ts'
import { addLockRoutes } from './lock-routes.ts'
import type { InstallChange, InstallOrder, InstallPlan, InstallWork, PluginInstalls } from './plugin-installs.ts'
import { checkReached, checkUnused, removedBy, type PluginUsers } from './plugin-users.ts'
import { bringsArchive, receiveUpload } from './receive-upload.ts'
import { workOf } from './work-of.ts'

/** What installing over the API is made of. */
export interface InstallRoutes {
  readonly installs: PluginInstalls
  readonly change: PluginChange
  readonly users: PluginUsers | undefined
}

/** Adds what plans, installs and updates, and what looks after the lock and the store. */
export function addInstallRoutes(
  app: OpenAPIHono<{ Bindings: Peer }>,
  kernel: Kernel,
  { installs, change, users }: InstallRoutes,
): void {
  const { plugins, points, permissions: vocabulary } = kernel
  const checkRemoved = (plan: InstallPlan): void => checkUnused(removedBy(plan, plugins), users)
  const inTurn = turns(64)

  const applyNow = async (order: InstallOrder, work: InstallWork): Promise<z.output<typeof AppliedView>> => {
    const plan = await inTurn('installs', async () => {
      const done = await installs.apply(order, work)
      if (done.steps.length > 0) await plugins.refresh()
      return done
    })
    const came = plan.steps.filter(({ kind }) => kind !== 'remove')
    const records = came.map(({ id }) => plugins.get(id)).filter((record) => record !== undefined)
    return {
      message: messageOf(plan),
      plan: planView(plan, vocabulary),
      plugins: records.map((record) => pluginView(record, points)),
    }
  }

  app.openapi(definitions.plan, async (context) => {
    const { changes, withheld } = context.req.valid('json')
    const plan = planView(await installs.plan(changes.map(changeOf), workOf(context), withheld), vocabulary)
    return context.json(plan, 200, { ETag: `"${plan.etag}"` })
  })

  app.openapi(definitions.apply, async (context) => {
    const { changes, etag, approvals, withheld, force } = context.req.valid('json')
    const order = { changes: changes.map(changeOf), etag, approvals, withheld, check: force ? undefined : checkRemoved }
    return context.json(await applyNow(order, workOf(context)), 200)
  })

  // Before the route itself, whose document is of JSON: an archive is not read into memory.
  app.post('/api/plugins/install', async (context, next) => {
    if (!bringsArchive(context.req.raw)) return next()
    const { reference: source } = await receiveUpload(context.req.raw, installs, workOf(context))
    // From here on it is a request like that of a reference, which may go on after its answer.
    const { url, headers: given, signal } = context.req.raw
    const headers = { 'content-type': 'application/json', prefer: given.get('prefer') ?? '' }
    const install = new Request(url, { method: 'POST', headers, signal, body: JSON.stringify({ source }) })
    const { once, ...env } = context.env
    const answer = async (): Promise<Response> => app.fetch(install, env)
    return once === undefined ? answer() : once(source, answer)
  })

  app.openAPIRegistry.registerPath(definitions.install)
  app.openapi(installFromJson, async (context) => {
    const { source, path, url, approvals, withheld } = context.req.valid('json')
    const reference = source ?? (url === undefined ? path : `archive:${url}`) ?? ''
    return context.json(
      await applyNow({ changes: [{ kind: 'add', reference }], check: checkRemoved, approvals, withheld }, workOf(context)),
      201,
    )
  })

  app.openAPIRegistry.registerPath(definitions.upload)
  app.post('/api/plugins/upload', async (context) => {
    if (!bringsArchive(context.req.raw)) {
      throw serverErrors.error('SERVER_UPLOAD_INVALID', { reason: 'it is neither a form nor an archive' })
    }
    const { reference, id, version, sizeBytes } = await receiveUpload(context.req.raw, installs, workOf(context))
    const told = { message: `${id} ${version} is in order`, reference, id, version, size_bytes: sizeBytes }
    const answer = async (): Promise<Response> => context.json(told, 201)
    return context.env.once === undefined ? answer() : context.env.once(reference, answer)
  })

  app.openapi(definitions.update, async (context) => {
    const { approvals = {}, withheld } = context.req.valid('json') ?? {}
    const { caller } = context.env
    const work = workOf(context)
    const answer = await change(askedChange(context), ({ id }) => {
      const check = (plan: InstallPlan): void => {
        checkReached(plan, caller)
        checkRemoved(plan)
      }
      return applyNow({ changes: [{ kind: 'update', id }], check, approvals, withheld }, work)
    })
    return context.json(answer, 200)
  })

  app.openapi(definitions.outdated, async (context) => {
    const found = await installs.outdated(workOf(context))
    const views = found.map(({ id, version, requested, available = null, problem = null, unapproved }) => ({
      id,
      version,
      requested,
      available,
      unapproved: [...unapproved],
      problem,
    }))
    return context.json({ plugins: views, count: views.filter(({ available }) => available !== null).length }, 200)
  })

  app.openapi(definitions.searchPackages, async (context) => {
    const { q: query } = context.req.valid('query')
    const { found, problems } = await installs.search(query, workOf(context))
    const packages = found.map(({ reference, source, name, version = null, description = null, tags, asOf = null }) => ({
      reference,
      source,
      name,
      version,
      description,
      tags: [...tags],
      as_of: asOf,
    }))
    return context.json({ query, packages, problems: [...problems], count: packages.length }, 200)
  })

  addLockRoutes(app, kernel, { installs, inTurn })
}

function changeOf(view: ChangeView): InstallChange {
  return view.kind === 'remove' ? { kind: 'remove', id: view.id, withUsers: view.with_users } : view
}

function messageOf({ steps }: InstallPlan): string {
  const words = { install: 'installed', update: 'updated', remove: 'removed' } as const
  const done = steps.map(({ kind, id, version }) => `${id} ${version} ${words[kind]}`)
  return done.length === 0 ? 'nothing to do' : done.join(', ')
}
