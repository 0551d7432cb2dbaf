import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Candidate } from '../plugins/plugin.ts'
import type { Admission, AdmissionRequest, PluginTrust } from '../ports.ts'

const none: readonly string[] = Object.freeze([])

/** Of what a package asks for, what the operator keeps from it. */
export function withheld(
  admission: Admission | undefined,
  { id, version, source, declared }: Candidate,
  asked: readonly string[] = declared?.permissions ?? none,
): readonly string[] {
  if (admission?.withheld === undefined || asked.length === 0) return none
  const kept = admission.withheld({ id, version, origin: source.origin, source: source.name })
  return kept.length === 0 ? none : asked.filter((permission) => kept.includes(permission))
}

/**
 * What a package asks for beyond what was approved or withheld, which both are answers. Without an admission, or its word on it, everything is. `asked`: as it was
 * declared, or, when it starts, as its manifest says.
 */
export function unapproved(
  admission: Admission | undefined,
  candidate: Candidate,
  asked: readonly string[] = candidate.declared?.permissions ?? none,
): readonly string[] {
  const { id, version, source } = candidate
  if (admission?.approved === undefined || asked.length === 0) return none
  const approved = admission.approved({ id, version, origin: source.origin, source: source.name })
  if (approved === undefined) return none
  const open = asked.filter((permission) => !approved.includes(permission))
  const kept = withheld(admission, candidate, open)
  return kept.length === 0 ? open : open.filter((permission) => !kept.includes(permission))
}

/** Errors: `PERMISSION_UNAPPROVED`. */
export function unapprovedError({ id, version }: Candidate, permissions: readonly string[]): Error {
  const parameters = { plugin: id, version, permissions: permissions.join(', ') }
  return kernelErrors.error('PERMISSION_UNAPPROVED', parameters, { plugin: id, details: { permissions } })
}

/**
 * The last gate before code runs, on every way there: first start, update, restart after a crash, roll back, recall.
 * Errors: `TRUST_REFUSED`, `PERMISSION_UNAPPROVED`.
 */
export async function admit(
  { options: { admission }, stopping }: Pick<Core, 'options' | 'stopping'>,
  candidate: Candidate,
  about: Pick<AdmissionRequest, 'manifest' | 'staged' | 'isServing'>,
): Promise<PluginTrust | undefined> {
  if (admission === undefined) return undefined
  const { id, version, source, found } = candidate
  const asked = { id, version, origin: source.origin, source: source.name, path: found.path, ...about }
  const decision = await admission.admit(asked, stopping)
  if (!decision.ok) {
    const { reason, fix, details } = decision
    throw kernelErrors.error(
      'TRUST_REFUSED',
      { plugin: id, version, reason, fix },
      { plugin: id, ...(details === undefined ? {} : { details }) },
    )
  }
  const permissions = unapproved(admission, candidate, about.manifest.permissions)
  if (permissions.length > 0) throw unapprovedError(candidate, permissions)
  return decision.trust
}
