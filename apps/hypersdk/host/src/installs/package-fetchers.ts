import {
  archiveFetcher,
  directoryFetcher,
  gitFetcher,
  npmFetcher,
  type Credential,
  type Fetcher,
  type HomeOptions,
} from '@backplane/sources/install'
import type { PackagePlace, PackageSources } from '../config/package-sources.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { resolveHandles, type HandleSources } from '../secrets/resolve-handles.ts'
import { onlyBelow } from './only-below.ts'

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
export function packageFetchers(sources: PackageSources, uploads: string, secrets: FetcherSecrets): readonly Fetcher[] {
  const { directories, archives, npm, git, git_folders: folders, upload_limit: archiveBytes } = sources
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
    fetchers.push(gitFetcher({ hosts: Object.fromEntries(hosts), folders }))
  }
  return fetchers
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
    return { kind: 'basic', user: username ?? '', password: await read(password ?? '', 'password') }
  }
}
