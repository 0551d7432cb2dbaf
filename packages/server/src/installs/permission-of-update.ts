import type { PluginRecord } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { serverErrors } from '../errors.ts'
import type { InstallWork, PluginInstalls } from './plugin-installs.ts'

/** Longest that an update is looked for only to say something better, ms. */
const lookMs = 10_000

/**
 * What to say of permissions that an installed plugin does not ask for: that the version which an update would bring does, where
 * that is so. It is approved with the update and not before, because what is approved is what was shown of a version. Answers
 * `error` itself where nothing better is known.
 */
export async function ofUpdate(
  error: unknown,
  { record, permissions }: { readonly record: PluginRecord; readonly permissions: readonly string[] },
  installs: Pick<PluginInstalls, 'plan' | 'isInstalled'>,
  work: InstallWork,
): Promise<unknown> {
  const isNotAsked = error instanceof PlatformError && error.code === 'SERVER_PERMISSION_NOT_ASKED'
  if (!isNotAsked || !installs.isInstalled(record)) return error
  const { id, version, manifest } = record
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(lookMs)])
  const plan = await installs.plan([{ kind: 'update', id }], { ...work, signal }).catch(() => undefined)
  const step = plan?.steps.find((one) => one.kind === 'update' && one.id === id)
  if (step === undefined || step.kind === 'remove') return error
  const permission = permissions.find(
    (one) => manifest?.permissions?.includes(one) !== true && step.permissions.asked.includes(one),
  )
  if (permission === undefined) return error
  return serverErrors.error('SERVER_PERMISSION_OF_UPDATE', { id, version, permission, next: step.version }, { plugin: id })
}
