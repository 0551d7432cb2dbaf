import type { Kernel, PluginRecord } from '@backplane/kernel'
import { didYouMean, type PermissionVocabulary } from '@backplane/sdk'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { askedChange, type PluginChange } from '../api/plugin-change.ts'
import { findPlugin } from '../api/plugin-id.ts'
import { visiblePlugins } from '../api/visible-plugins.ts'
import { serverErrors } from '../errors.ts'
import { checkAccess } from '../guard/access.ts'
import type { Peer } from '../handler.ts'
import { sentences, verdictView } from './install-views.ts'
import { ofUpdate } from './permission-of-update.ts'
import { definitions, type PermissionsView } from './permission-definitions.ts'
import { type usedShape, usedView } from './used-view.ts'
import type { PermissionAnswers, PluginInstalls } from './plugin-installs.ts'
import { workOf } from './work-of.ts'

/** Adds what shows, approves, withholds and takes back what plugins may do. */
export function addPermissionRoutes(
  app: OpenAPIHono<{ Bindings: Peer }>,
  { plugins, permissions: vocabulary }: Kernel,
  { installs, change }: { readonly installs: PluginInstalls; readonly change: PluginChange },
): void {
  const viewOf = async (record: PluginRecord, sinceMs?: number): Promise<z.output<typeof PermissionsView>> => ({
    ...permissionsView(record, installs, vocabulary),
    ...usedView(await plugins.uses(record.id), sinceMs),
  })

  /** Answers otherwise to what a plugin asks for, and lets the kernel look again. */
  const permit = async (
    context: Parameters<typeof askedChange>[0] & { readonly req: { readonly raw: Request } },
    permitted: (record: PluginRecord, answers: PermissionAnswers) => PermissionAnswers,
  ): Promise<z.output<typeof PermissionsView>> => {
    const { caller } = context.env
    const work = { signal: context.req.raw.signal }
    const id = await change(askedChange(context), async (record) => {
      const countsAll = installs.approved(record) === undefined
      const answered: typeof permitted = (_, answers) => {
        const next = permitted(record, answers)
        const isGivenBack = answers.withheld.some((permission) => !next.withheld.includes(permission))
        if (isGivenBack && caller !== undefined) checkAccess(caller, { scope: 'admin', ofPlugins: true })
        // Where all it asks for counts as approved only what is withheld is kept.
        return countsAll ? { approved: answers.approved, withheld: next.withheld } : next
      }
      const withheld = installs.withheld(record)
      const isNothing = countsAll && answered(record, { approved: [], withheld }).withheld.length + withheld.length === 0
      if (isNothing) return record.id
      // Told what was answered when it is written: another may answer otherwise meanwhile.
      await installs.permit(record, (answers) => answered(record, answers), caller?.name ?? 'unknown', work)
      await plugins.refresh()
      // What serves with more than it may have now is drained, stopped, and started without or blocked.
      await plugins.readmit()
      return record.id
    })
    return viewOf(findPlugin(plugins, id))
  }

  app.openapi(definitions.showPermissions, async (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const { since } = context.req.valid('query')
    return context.json(await viewOf(record, since === undefined ? undefined : Date.parse(since)), 200)
  })

  app.openapi(definitions.approve, async (context) => {
    const { permissions } = context.req.valid('json')
    const permitted = permit(context, (record, { approved, withheld }) => {
      const known = [...askedBy(record), ...withheld]
      for (const permission of permissions) checkAsked(record.id, permission, known)
      return {
        approved: [...new Set([...approved, ...permissions])],
        withheld: withheld.filter((permission) => !permissions.includes(permission)),
      }
    })
    const view = await permitted.catch(async (error: unknown) => {
      const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
      throw await ofUpdate(error, { record, permissions }, installs, workOf(context))
    })
    return context.json(view, 200)
  })

  app.openapi(definitions.revoke, async (context) => {
    const { permissions } = context.req.valid('json') ?? {}
    const view = await permit(context, (record, { approved, withheld }) => {
      for (const permission of permissions ?? []) checkAsked(record.id, permission, approved)
      const left = permissions === undefined ? [] : approved.filter((permission) => !permissions.includes(permission))
      return { approved: left, withheld }
    })
    return context.json(view, 200)
  })

  app.openapi(definitions.withhold, async (context) => {
    const { permissions } = context.req.valid('json')
    const view = await permit(context, (record, { approved, withheld }) => {
      const known = [...askedBy(record), ...withheld]
      for (const permission of permissions) checkAsked(record.id, permission, known)
      return {
        approved: approved.filter((permission) => !permissions.includes(permission)),
        withheld: [...new Set([...withheld, ...permissions])],
      }
    })
    return context.json(view, 200)
  })

  app.openapi(definitions.grants, (context) => {
    const grants = installs.approvals().map(({ id, permissions, withheld, keptIn, by, at }) => ({
      id,
      permissions: sentences(permissions, vocabulary),
      withheld: [...withheld],
      kept_in: keptIn,
      by: by ?? null,
      at: at ?? null,
    }))
    return context.json({ grants, count: grants.length }, 200)
  })

  app.openapi(definitions.showPolicy, (context) => context.json(Object(installs.policy()) as Record<string, unknown>, 200))

  app.openapi(definitions.showVerdict, (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    const verdict = installs.verdict(record)
    return context.json({ id: record.id, verdict: verdict === undefined ? null : verdictView(verdict) }, 200)
  })
}

function permissionsView(
  record: PluginRecord,
  installs: PluginInstalls,
  vocabulary: PermissionVocabulary,
): Omit<z.output<typeof PermissionsView>, keyof typeof usedShape> {
  const approved = installs.approved(record)
  const asked = askedBy(record)
  const withheld = installs.withheld(record)
  const answered = new Set([...(approved ?? asked), ...withheld])
  const open = asked.filter((permission) => !answered.has(permission))
  return {
    id: record.id,
    version: record.version,
    asked: sentences(asked, vocabulary),
    approved: approved === undefined ? null : [...approved],
    withheld: sentences(withheld, vocabulary),
    unapproved: sentences(open, vocabulary),
    waiting: record.held?.why === 'not approved' ? record.held.against.version : null,
  }
}

/** What the version that serves asks for, and what one that waits asks for beyond what was approved. */
function askedBy({ manifest, held }: PluginRecord): readonly string[] {
  return [...new Set([...(manifest?.permissions ?? []), ...(held?.permissions ?? [])])]
}

/** Errors: `SERVER_PERMISSION_NOT_ASKED`. */
function checkAsked(id: string, permission: string, known: readonly string[]): void {
  if (known.includes(permission)) return
  const nearest = didYouMean(permission, known) || '.'
  throw serverErrors.error('SERVER_PERMISSION_NOT_ASKED', { id, permission, nearest }, { plugin: id })
}
