import type { PluginRecord } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { serverErrors } from '../errors.ts'
import type { InstallWork, PluginInstalls } from './plugin-installs.ts'

/** Longest that an update is looked for only to say something better, ms. */
const lookMs = 10_000

/**
 * What to say of permissions that an installed plugin does not ask for: that the version which an update would bring does, where
 * that is so. It is approved with the update and not before, because what is approved is what was shown of a version. Answers
 * `refusal` itself where nothing better is known.
 */
export async function ofUpdate(
  refusal: unknown,
  { record, permissions }: { readonly record: PluginRecord; readonly permissions: readonly string[] },
  installs: Pick<PluginInstalls, 'plan' | 'isInstalled'>,
  work: InstallWork,
): Promise<unknown> {
  const isNotAsked = refusal instanceof PlatformError && refusal.code === 'SERVER_PERMISSION_NOT_ASKED'
  if (!isNotAsked || !installs.isInstalled(record)) return refusal
  const { id, version, manifest } = record
  const signal = AbortSignal.any([work.signal, AbortSignal.timeout(lookMs)])
  const plan = await installs.plan([{ kind: 'update', id }], { ...work, signal }).catch(() => undefined)
  const step = plan?.steps.find((one) => one.kind === 'update' && one.id === id)
  if (step === undefined || step.kind === 'remove') return refusal
  const permission = permissions.find(
    (one) => manifest?.permissions?.includes(one) !== true && step.permissions.asked.includes(one),
  )
  if (permission === undefined) return refusal
  return serverErrors.error('SERVER_PERMISSION_OF_UPDATE', { id, version, permission, next: step.version }, { plugin: id })
}
