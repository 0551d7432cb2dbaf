import type { Log, FoundPackage, Source, SourceListing, SourceProblem } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'

/** One package or problem of one source, in order of precedence. */
export interface Discovered {
  readonly source: Source
  /** What the manifest says, when it says something that can be an id, or the problem, whose plugin it is; else the path. */
  readonly id: string
  readonly path: string
  readonly found: FoundPackage | undefined
  readonly problem: SourceProblem | undefined
}

/**
 * Asks every source at once what there is. A source that cannot answer keeps what it answered last: losing sight of a
 * plugin is not the same as its removal.
 */
export async function discover(
  sources: readonly Source[],
  last: Map<Source, SourceListing>,
  log: Log,
  signal: AbortSignal,
): Promise<readonly Discovered[]> {
  const listings = await Promise.all(
    sources.map(async (source) => {
      try {
        const listing = await source.list(signal)
        last.set(source, listing)
        return listing
      } catch (error) {
        signal.throwIfAborted()
        log.write({ level: 'error', message: `source ${source.name} cannot be listed: ${messageOf(error)}` })
        return last.get(source) ?? { packages: [], problems: [] }
      }
    }),
  )
  return sources.flatMap((source, index) => contentsOf(source, listings[index] ?? { packages: [], problems: [] }))
}

/** What a listing says, one by one. */
export function contentsOf(source: Source, listing: SourceListing): readonly Discovered[] {
  return [
    ...listing.packages.map((found) => ({
      source,
      id: found.summary?.manifest.id ?? idOf(found.manifest) ?? found.path,
      path: found.path,
      found,
      problem: undefined,
    })),
    ...listing.problems.map((problem) => {
      const { path, error } = problem
      return { source, id: checkedId(error.plugin) ?? path, path, found: undefined, problem }
    }),
  ]
}

function idOf(manifest: unknown): string | undefined {
  return checkedId(typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'id') : undefined)
}

function checkedId(id: unknown): string | undefined {
  return typeof id === 'string' && /^[a-z0-9][a-z0-9-]{0,63}\/[a-z0-9][a-z0-9-]{0,63}$/.test(id) ? id : undefined
}
