import type { FoundPackages } from '@backplane/server'
import type { Fetcher, FetchOptions, SearchingNpmFetcher } from '@backplane/sources/install'
import { indexesAmong } from './package-fetchers.ts'

/** Looks through the static indexes, also those that cannot be read now, and through the registries of npm that offer it. */
export async function searchPackages(fetchers: readonly Fetcher[], text: string, options: FetchOptions): Promise<FoundPackages> {
  const npm = fetchers.find((fetcher): fetcher is SearchingNpmFetcher => fetcher.kind === 'npm')
  const [indexed, published] = await Promise.all([indexesAmong(fetchers)?.search(text, options), npm?.search(text, options)])
  return {
    found: [
      ...(indexed?.found ?? []).map(({ index, id, latest, description, tags = [], asOf }) => ({
        reference: `index:${index}:${id}`,
        source: `index:${index}`,
        name: id,
        version: latest,
        description,
        tags,
        asOf,
      })),
      ...(published?.found ?? []).map(({ registry, name, version, description, tags = [] }) => ({
        reference: `npm:${name}`,
        source: registry,
        name,
        version,
        description,
        tags,
        asOf: undefined,
      })),
    ],
    problems: [
      ...(indexed?.problems ?? []).map(({ index, error }) => ({
        source: `index:${index}`,
        code: error.code,
        message: error.message,
      })),
      ...(published?.problems ?? []).map(({ registry, error }) => ({
        source: registry,
        code: error.code,
        message: error.message,
      })),
    ],
  }
}
