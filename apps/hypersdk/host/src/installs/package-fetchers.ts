import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  archiveFetcher,
  indexFetcher,
  ociFetcher,
  directoryFetcher,
  gitFetcher,
  npmFetcher,
  type Credential,
  type Fetcher,
  type HomeOptions,
  type IndexFetcher,
  type IndexOptions,
  type OciRegistry,
} from '@backplane/sources/install'
import { indexMemory } from '../daemon/plugin-trust.ts'
import { hypersdkErrors } from '../errors.ts'
import type { PackagePlace, PackageSources } from '../config/package-sources.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { resolveHandles, type HandleSources } from '../secrets/resolve-handles.ts'
import { onlyBelow } from './only-below.ts'

/** What fetchers use of the daemon's own directories. */
export interface FetcherPlaces {
  readonly uploads: string
  /** File that keeps which version of each index was seen. */
  readonly indexMemory: string
  /** Folder that keeps what each index said when it could last be read. */
  readonly indexCopies: string
  /** Folder that git works in. */
  readonly git: string
}

/** Where they are. */
export function fetcherPlaces(dataDirectory: string): FetcherPlaces {
  const at = (name: string): string => join(dataDirectory, name)
  return {
    uploads: at('uploads'),
    indexMemory: indexMemory({ dataDirectory }),
    indexCopies: at('index-copies'),
    git: at('fetching'),
  }
}

/** What fetchers get their credentials from. */
export interface FetcherSecrets {
  readonly handles: HandleSources
  /** Told of every credential before it is used. */
  readonly redactor: Redactor
}

type WrittenCredential = Pick<PackagePlace, 'token' | 'username' | 'password'>

/**
 * The fetchers that the configuration allows. Folders and archives of this machine: only below `plugins.sources.directories` and
 * `uploads`. Everything else: only from the places it names.
 */
export async function packageFetchers(
  sources: PackageSources,
  { uploads, indexMemory: memory, indexCopies: copies, git: gitFolder }: FetcherPlaces,
  secrets: FetcherSecrets,
): Promise<readonly Fetcher[]> {
  const { directories, archives, npm, git, git_folders: folders, oci, indexes, upload_limit: archiveBytes } = sources
  const archiveLimits = { archiveBytes }
  const home = (place: PackagePlace, path: string): HomeOptions => homeOf(place, credentialOf(place, path, secrets))
  const fetchers = [
    onlyBelow(directoryFetcher(), directories),
    onlyBelow(
      archiveFetcher({ places: archives.map((place, at) => home(place, `plugins.sources.archives[${at}]`)), archiveLimits }),
      [...directories, uploads],
    ),
  ]
  if (Object.keys(npm).length > 0) {
    const registries = Object.entries(npm).map(([scope, place]) => [scope, home(place, `plugins.sources.npm.${scope}`)])
    fetchers.push(npmFetcher({ registries: Object.fromEntries(registries), archiveLimits }))
  }
  if (Object.keys(git).length + folders.length > 0) {
    const hosts = Object.entries(git).map(([host, { ca_file: caFile, ...written }]) => [
      host,
      { credential: credentialOf(written, `plugins.sources.git.${host}`, secrets), ...(caFile === undefined ? {} : { caFile }) },
    ])
    fetchers.push(gitFetcher({ hosts: Object.fromEntries(hosts), folders, temporary: gitFolder }))
  }
  if (Object.keys(oci).length > 0) {
    const registries = Object.entries(oci).map(([host, place]) => [host, registryOf(host, place, secrets)])
    fetchers.push(ociFetcher({ registries: Object.fromEntries(registries), archiveLimits }))
  }
  if (Object.keys(indexes).length > 0) {
    const named = Object.entries(indexes).map(async ([name, place]) => [name, await indexOf(name, place, secrets)] as const)
    fetchers.push(indexFetcher({ indexes: Object.fromEntries(await Promise.all(named)), memory, copies, archiveLimits }))
  }
  return fetchers
}

/** The one of static indexes. */
export function indexesAmong(fetchers: readonly Fetcher[]): IndexFetcher | undefined {
  return fetchers.find((fetcher): fetcher is IndexFetcher => fetcher.kind === 'index')
}

function registryOf(host: string, place: PackageSources['oci'][string], secrets: FetcherSecrets): OciRegistry {
  const { url, also_from: alsoFrom, tokens_from: tokensFrom, allow_http: allowHttp } = place
  const credential = credentialOf(place, `plugins.sources.oci.${host}`, secrets)
  return {
    alsoFrom,
    tokensFrom,
    allowHttp,
    ...(url === undefined ? {} : { url }),
    ...(credential === undefined ? {} : { credential }),
  }
}

async function indexOf(name: string, place: PackageSources['indexes'][string], secrets: FetcherSecrets): Promise<IndexOptions> {
  const { url, keys, threshold, allow_http: allowHttp } = place
  const credential = credentialOf(place, `plugins.sources.indexes.${name}`, secrets)
  const texts = await Promise.all(keys.map(readKey))
  return { url, keys: texts, threshold, allowHttp, ...(credential === undefined ? {} : { credential }) }
}

/** Errors: `CONFIG_UNREADABLE`. */
async function readKey(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    const reason = String(Reflect.get(Object(error), 'code') ?? error)
    throw hypersdkErrors.error('CONFIG_UNREADABLE', { file, reason }, { cause: error })
  })
}

/** Where a plugin that others need is looked for; undefined when nobody said. */
export function dependencyReference(dependencies: PackageSources['dependencies'], id: string): string | undefined {
  const [publisher = '', name = ''] = id.split('/')
  const pattern = dependencies[id] ?? dependencies[`${publisher}/*`]
  return pattern?.replaceAll('*', name)
}

function homeOf(
  { url, also_from: alsoFrom, allow_http: allowHttp }: PackagePlace,
  credential: HomeOptions['credential'],
): HomeOptions {
  return { url, alsoFrom, allowHttp, ...(credential === undefined ? {} : { credential }) }
}

/** Resolved at each use, so that nothing holds it for longer. */
function credentialOf(
  { token, username, password }: WrittenCredential,
  path: string,
  { handles, redactor }: FetcherSecrets,
): (() => Promise<Credential | undefined>) | undefined {
  if (token === undefined && username === undefined) return undefined
  const read = async (text: string, member: string): Promise<string> => {
    const value = String(await resolveHandles(text, `${path}.${member}`, handles))
    redactor.learn(value)
    return value
  }
  return async () => {
    if (token !== undefined) return { kind: 'bearer', token: await read(token, 'token') }
    const basic = { user: username ?? '', password: await read(password ?? '', 'password') }
    // As it is sent, which a server may repeat.
    redactor.learn(`${basic.user}:${basic.password}`)
    return { kind: 'basic', ...basic }
  }
}
