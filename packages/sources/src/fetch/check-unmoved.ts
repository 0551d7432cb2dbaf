import { sourceErrors } from '../errors.ts'
import type { AvailableVersion, PinnedPlace } from './fetcher.ts'
import { sourceOf } from './reference.ts'

/** What of a lock a source is held against. */
export interface LockedPlace {
  readonly version: string
  readonly place: PinnedPlace
}

/**
 * Refuses a source that now gives something else under a name that must not move: another commit under the same tag of git,
 * another digest for the same version of a registry. What was locked goes on; a plan that would follow is not made. Errors:
 * `FETCH_CHANGED`.
 */
export function checkUnmoved(locked: LockedPlace, found: AvailableVersion): void {
  const problem = movedBy(locked, found)
  if (problem !== undefined) throw sourceErrors.error('FETCH_CHANGED', { place: sourceOf(locked.place), problem })
}

function movedBy(
  { version, place: before }: LockedPlace,
  { version: nowVersion, place: now }: AvailableVersion,
): string | undefined {
  if (before.kind === 'git' && now.kind === 'git') {
    const isSameTag = before.ref?.startsWith('refs/tags/') === true && before.ref === now.ref
    if (!isSameTag || before.url !== now.url || before.path !== now.path || before.commit === now.commit) return undefined
    return `the tag ${before.ref} leads to ${now.commit}, not to ${before.commit}, which was locked`
  }
  if (before.kind === 'oci' && now.kind === 'oci') {
    if (version !== nowVersion || before.reference !== now.reference || before.digest === now.digest) return undefined
    return `version ${version} is ${now.digest} there, not ${before.digest}, which was locked`
  }
  if (version !== nowVersion) return undefined
  if (before.kind === 'npm' && now.kind === 'npm') {
    if (before.registry !== now.registry || before.name !== now.name || before.integrity === now.integrity) return undefined
    return `version ${version} is ${now.integrity} there, not ${before.integrity}, which was locked`
  }
  if (before.kind === 'index' && now.kind === 'index') {
    if (before.index !== now.index || before.digest === now.digest) return undefined
    return `version ${version} is ${now.digest} there, not ${before.digest}, which was locked`
  }
  return undefined
}
