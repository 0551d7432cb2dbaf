import { PlatformError } from '@backplane/sdk'
import { valid } from 'semver'
import { downloadJson } from '../download-json.ts'
import { shownUrl, type FetchHome } from '../fetch-home.ts'
import type { FetchOptions } from '../fetcher.ts'
import type { Downloading } from '../guarded-download.ts'
import { isNpmName, scopeOf } from './npm-reference.ts'

/** The keyword in `package.json` of what holds a plugin; registries hold much else. */
export const pluginKeyword = 'backplane-plugin'

/** A package that a registry has, as it says; nothing of it was looked at. */
export interface NpmHit {
  /** Address of the registry. */
  readonly registry: string
  readonly name: string
  /** The latest; undefined where the registry does not say. */
  readonly version?: string
  readonly description?: string
  readonly tags?: readonly string[]
}

/** What several registries answered, and why some did not. */
export interface NpmSearchReport {
  readonly found: readonly NpmHit[]
  readonly problems: readonly { readonly registry: string; readonly error: PlatformError }[]
}

/** How registries are asked. */
export interface NpmSearching extends Downloading {
  /** By scope, and `*`. */
  readonly homes: ReadonlyMap<string, FetchHome>
  /** Of one answer, bytes. */
  readonly mostBytes: number
}

/** Packages asked of one registry. */
const mostHits = 100
const mostText = 500

/**
 * Asks each registry for plugins with these words. A registry answers for the scopes that are its own here and for no others,
 * so that nobody is shown a name that would be fetched from elsewhere. One that offers no search is a problem beside the rest.
 * Source: npm registry API, `GET /-/v1/search`.
 */
export async function searchRegistries(text: string, searching: NpmSearching, options: FetchOptions): Promise<NpmSearchReport> {
  const { homes, mostBytes } = searching
  const found = new Map<string, NpmHit>()
  const problems: { registry: string; error: PlatformError }[] = []
  const registries = new Map([...homes.values()].map((home) => [home.url.href, home]))
  for (const home of registries.values()) {
    const ask = async (words: string): Promise<readonly NpmHit[]> => {
      const url = new URL('-/v1/search', home.url)
      url.search = new URLSearchParams({ text: words, size: String(mostHits) }).toString()
      return hitsIn(await downloadJson(home, { url, mostBytes }, options, searching), home)
    }
    try {
      const narrow = await ask(`${text} keywords:${pluginKeyword}`.trim())
      // some registries look for that word as it stands, and find nothing
      for (const hit of narrow.length > 0 ? narrow : await ask(text)) {
        const own = homes.get(scopeOf(hit.name) ?? '*') ?? homes.get('*')
        if (own?.url.href === home.url.href) found.set(hit.name, hit)
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      problems.push({ registry: shownUrl(home.url), error })
    }
  }
  return { found: [...found.values()], problems }
}

function hitsIn(answer: unknown, home: FetchHome): readonly NpmHit[] {
  const objects: unknown = Reflect.get(Object(answer), 'objects')
  if (!Array.isArray(objects)) return []
  return (objects as readonly unknown[]).slice(0, mostHits).flatMap((one): NpmHit[] => {
    const said = Object(Reflect.get(Object(one), 'package')) as Readonly<Record<string, unknown>>
    const { name, description, keywords, 'dist-tags': heads } = said
    // some registries tell it only as what a tag leads to, or not at all
    const version = said['version'] ?? (Reflect.get(Object(heads), 'latest') as unknown)
    const tags = Array.isArray(keywords) ? keywords.filter((tag): tag is string => typeof tag === 'string') : []
    // some registries take the keyword for a word among others, or leave it out
    if (typeof name !== 'string' || !isNpmName(name) || !(version === undefined || isVersion(version))) return []
    if (!tags.includes(pluginKeyword)) return []
    const words = tags.filter((tag) => tag !== pluginKeyword).slice(0, 50)
    return [
      {
        registry: shownUrl(home.url),
        name,
        ...(version === undefined ? {} : { version }),
        ...(typeof description === 'string' ? { description: description.slice(0, mostText) } : {}),
        ...(words.length === 0 ? {} : { tags: words }),
      },
    ]
  })
}

function isVersion(text: unknown): text is string {
  return typeof text === 'string' && valid(text) === text
}
