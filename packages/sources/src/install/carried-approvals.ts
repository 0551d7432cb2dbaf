import type { PinnedPlace } from '../fetch/fetcher.ts'
import { sourceOf } from '../fetch/reference.ts'
import type { LockedPlugin } from '../lock/lock-file.ts'

const none: readonly string[] = Object.freeze([])

/**
 * What of the approvals of a locked plugin holds for what comes in its place: all, as long as the same publisher vouches, or,
 * where nobody did, it is from the same source. Somebody else's package under the same id is approved anew.
 */
export function carriedApprovals(
  before: LockedPlugin | undefined,
  now: Pick<LockedPlugin, 'artifacts' | 'publisher'>,
): readonly string[] {
  if (before === undefined) return none
  if (before.publisher !== undefined) return before.publisher === now.publisher ? before.permissions : none
  const sources = new Set(Object.values(before.artifacts).map(({ place }) => sourceText(place)))
  return Object.values(now.artifacts).every(({ place }) => sources.has(sourceText(place))) ? before.permissions : none
}

/** With the registry, as one name may be somebody else's in another. */
function sourceText(place: PinnedPlace): string {
  return place.kind === 'npm' ? `${place.registry} ${place.name}` : sourceOf(place)
}
