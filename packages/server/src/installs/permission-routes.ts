import type { Kernel, PluginRecord } from '@backplane/kernel'
import { didYouMean, type PermissionVocabulary } from '@backplane/sdk'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { askedChange, type PluginChange } from '../api/plugin-change.ts'
import { findPlugin } from '../api/plugin-id.ts'
import { visiblePlugins } from '../api/visible-plugins.ts'
import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { sentences, verdictView } from './install-views.ts'
import { definitions, type PermissionsView } from './permission-definitions.ts'
import type { PluginInstalls } from './plugin-installs.ts'

/** Adds what shows, approves and takes back what plugins may do. */
export function addPermissionRoutes(
  app: OpenAPIHono<{ Bindings: Peer }>,
  { plugins, permissions: vocabulary }: Kernel,
  { installs, change }: { readonly installs: PluginInstalls; readonly change: PluginChange },
): void {
  /** Makes the approved permissions of a plugin others, and lets the kernel look again. */
  const permit = async (
    context: Parameters<typeof askedChange>[0] & { readonly req: { readonly raw: Request } },
    permitted: (record: PluginRecord, approved: readonly string[]) => readonly string[],
  ): Promise<z.output<typeof PermissionsView>> => {
    const work = { signal: context.req.raw.signal }
    const id = await change(askedChange(context), async (record) => {
      // Where all it asks for counts as approved there is nothing to keep.
      if (installs.approved(record) === undefined) permitted(record, [])
      else {
        // Told what is approved when it is written: another may approve something else meanwhile.
        await installs.permit(record, (approved) => permitted(record, approved), context.env.caller?.name ?? 'unknown', work)
        await plugins.refresh()
        // What serves with more than is approved now is drained, stopped and blocked.
        await plugins.readmit()
      }
      return record.id
    })
    return permissionsView(findPlugin(plugins, id), installs, vocabulary)
  }

  app.openapi(definitions.showPermissions, (context) => {
    const record = findPlugin(visiblePlugins(plugins, context.env.caller), context.req.param('id'))
    return context.json(permissionsView(record, installs, vocabulary), 200)
  })

  app.openapi(definitions.approve, async (context) => {
    const { permissions } = context.req.valid('json')
    const view = await permit(context, (record, approved) => {
      const known = askedBy(record)
      for (const permission of permissions) checkAsked(record.id, permission, known)
      return [...new Set([...approved, ...permissions])]
    })
    return context.json(view, 200)
  })

  app.openapi(definitions.revoke, async (context) => {
    const { permissions } = context.req.valid('json') ?? {}
    const view = await permit(context, (record, approved) => {
      for (const permission of permissions ?? []) checkAsked(record.id, permission, approved)
      return permissions === undefined ? [] : approved.filter((permission) => !permissions.includes(permission))
    })
    return context.json(view, 200)
  })

  app.openapi(definitions.grants, (context) => {
    const grants = installs.approvals().map(({ id, permissions, keptIn, by, at }) => ({
      id,
      permissions: sentences(permissions, vocabulary),
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
): z.output<typeof PermissionsView> {
  const approved = installs.approved(record)
  const asked = askedBy(record)
  const open = approved === undefined ? [] : asked.filter((permission) => !approved.includes(permission))
  return {
    id: record.id,
    version: record.version,
    asked: sentences(asked, vocabulary),
    approved: approved === undefined ? null : [...approved],
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
