import { rcompare, valid } from 'semver'
import type { Demand } from './demands.ts'
import { fits, meets } from './fits.ts'
import type { KnownUniverse } from './known-universe.ts'
import type { Conflict, ResolveRequest } from './release.ts'

/** Why a search could not go on. */
export type Refusal =
  | { readonly kind: 'nothing-fits'; readonly id: string; readonly demands: readonly Demand[] }
  | { readonly kind: 'nobody-offers'; readonly capability: string; readonly range: string; readonly by: string }
  | { readonly kind: 'too-hard'; readonly tries: number }

/** Versions that are listed in an explanation. */
const mostListed = 5

/** Says why nothing fits, from who wants it to what there is, and the smallest change that would help. */
export async function explain(refusal: Refusal, universe: KnownUniverse, request: ResolveRequest): Promise<Conflict> {
  switch (refusal.kind) {
    case 'nothing-fits':
      return explainNothing(refusal.id, distinct(refusal.demands), universe, request)
    case 'nobody-offers': {
      const { capability, range, by } = refusal
      const chain = [`${by} needs ${capability} ${range} from another plugin`, 'no plugin that is known offers it']
      return { chain, fix: `Install a plugin that offers ${capability} ${range}.` }
    }
    case 'too-hard':
      return { chain: [`no answer was found in ${refusal.tries} tries`], fix: 'Ask for exact versions of what matters to you.' }
  }
}

async function explainNothing(
  id: string,
  demands: readonly Demand[],
  universe: KnownUniverse,
  { hostApi }: ResolveRequest,
): Promise<Conflict> {
  const wanted = demands.map(({ by, range }) => `${by} ${by === 'you' ? 'want' : 'needs'} ${id} ${range}`)
  const versions = await universe.versions(id)
  if (versions.length === 0) {
    return { chain: [...wanted, `nobody has ${id}`], fix: `Say where ${id} is fetched from, or correct its id.` }
  }
  const inRange = versions.filter((version) => demands.every((demand) => meets(version, demand)))
  if (inRange.length > 0) return explainUnusable(id, inRange, { wanted, universe, hostApi })
  return { chain: [...wanted, `${id} has ${listed(versions)}`], fix: fixOf(id, demands, versions) }
}

interface Unusable {
  readonly wanted: readonly string[]
  readonly universe: KnownUniverse
  readonly hostApi: string
}

/** There are versions in the range, but none of them can be had here. */
async function explainUnusable(
  id: string,
  versions: readonly string[],
  { wanted, universe, hostApi }: Unusable,
): Promise<Conflict> {
  const reasons: string[] = []
  for (const version of versions.slice(0, mostListed)) {
    const release = await universe.release(id, version)
    if (release === undefined) reasons.push(`${id} ${version}: ${universe.problemOf(id, version) ?? 'cannot be had'}`)
    else if (!fits(hostApi, release.api)) reasons.push(`${id} ${version} needs API ${release.api}, the host offers ${hostApi}`)
  }
  for (const version of await universe.versions(id)) {
    const release = await universe.release(id, version)
    if (release !== undefined && fits(hostApi, release.api)) {
      return { chain: [...wanted, ...reasons], fix: `Ask for ${id} ${version}, which fits this host.` }
    }
  }
  return { chain: [...wanted, ...reasons], fix: `Ask the publisher of ${id} for a version for API ${hostApi}.` }
}

/** What would be left if one who wants it wanted something else. */
function fixOf(id: string, demands: readonly Demand[], versions: readonly string[]): string {
  for (const demand of demands.toReversed()) {
    const others = demands.filter((one) => one !== demand)
    const best = versions.find((version) => others.every((other) => meets(version, other)))
    if (best === undefined || (others.length === 0 && demands.length > 1)) continue
    if (demand.from === undefined) return `Ask for ${id} ${best} instead of ${demand.range}.`
    return `Install a version of ${demand.from} that takes ${id} ${best}.`
  }
  const [first] = demands
  const nearest = versions.find((version) => first !== undefined && fits(version, first.range))
  return nearest === undefined
    ? `Publish a version of ${id} that fits, or ask for less.`
    : `Let all who need ${id} take ${nearest}.`
}

function distinct(demands: readonly Demand[]): readonly Demand[] {
  const seen = new Map(demands.map((demand) => [`${demand.by} ${demand.range}`, demand]))
  return [...seen.values()]
}

function listed(versions: readonly string[]): string {
  const sorted = versions.every((version) => valid(version) !== null) ? versions.toSorted(rcompare) : versions
  const shown = sorted.slice(0, mostListed).join(', ')
  return versions.length > mostListed ? `${shown} and ${versions.length - mostListed} older ones` : shown
}
