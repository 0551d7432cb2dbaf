import type { FoundPackage, Source, SourceProblem, StagedPackage } from '@backplane/kernel'
import { sourceErrors } from '../errors.ts'
import { FolderHints } from '../folder-hints.ts'
import { recallPackage } from '../found-package.ts'
import { systemClock } from '../system-clock.ts'
import { waitOnClock } from '../wait-on-clock.ts'
import { installedStore } from './installed-store.ts'
import { readLock, type LockedArtifact, type LockedPlugin, type LockFile } from './lock-file.ts'
import type { PackageStore } from '../package-store.ts'
import { arrivalIn, cameIn } from '../arrival.ts'
import { isDeepStrictEqual } from 'node:util'
import { dirname, resolve } from 'node:path'

/** Where installed plugins are. */
export interface InstalledOptions {
  /** `backplane.lock`. */
  readonly lock: string
  /** Directory of the content-addressed store of what the lock names, mode 0700; nothing else is put into it. */
  readonly store: string
  /** Default: this machine's, such as `linux-x64`. */
  readonly platform?: string
  /** Between looks at the lock when the system reports no change, ms. Default 1 000. */
  readonly lookMs?: number
}

/** What is installed, and what the lock said of it when it was last listed. */
export interface InstalledSource extends Source {
  /** Everything in the lock. */
  readonly all: () => readonly { readonly id: string; readonly plugin: LockedPlugin }[]
  readonly locked: (id: string) => { readonly plugin: LockedPlugin; readonly artifact: LockedArtifact } | undefined
}

/** This machine, as a lock names platforms. */
export const thisPlatform: string = `${process.platform}-${process.arch}`

/**
 * What the lock says is installed, from the store alone: a start needs no network. Bytes are hashed again before each start;
 * a damaged or missing entry is a problem that names the plugin, never something else that runs in its place. Errors of
 * `list`: those of {@link readLock}. Problems: `INSTALL_NOT_STORED`, `INSTALL_NO_ARTIFACT`,
 * `INSTALL_WRONG_ID`.
 */
export function installed(options: InstalledOptions): InstalledSource {
  const { platform = thisPlatform, lookMs = 1_000 } = options
  const lockPath = resolve(options.lock)
  const store = installedStore(options)
  let listed = ''
  let plugins: LockFile['plugins'] = {}

  const list: Source['list'] = async (signal) => {
    signal.throwIfAborted()
    const { lock, etag } = await readLock(lockPath)
    listed = etag
    plugins = lock.plugins
    const read = await Promise.all(
      Object.entries(lock.plugins).map(([id, plugin]) => readPlugin(id, plugin, { store, platform, lockPath })),
    )
    return {
      packages: read.flatMap((one) => ('found' in one ? [one.found] : [])),
      problems: read.flatMap((one) => ('problem' in one ? [one.problem] : [])),
    }
  }

  const watch = (changed: () => void): AsyncDisposable => {
    const stop = new AbortController()
    const done = follow(lockPath, { seen: () => listed, lookMs, changed, signal: stop.signal })
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort()
        await done
      },
    }
  }

  return {
    name: `installed:${lockPath}`,
    origin: 'external',
    list,
    watch,
    recall: (digest, signal) => recallPackage(store, digest, signal),
    forget: (plugin) => store.forget(plugin),
    all: () => Object.entries(plugins).map(([id, plugin]) => ({ id, plugin })),
    locked: (id) => {
      const plugin = Object.hasOwn(plugins, id) ? plugins[id] : undefined
      const artifact = plugin === undefined ? undefined : artifactFor(plugin, platform)
      return plugin === undefined || artifact === undefined ? undefined : { plugin, artifact }
    },
  }
}

/** The artifact for a platform; undefined when there is none. */
export function artifactFor({ artifacts }: LockedPlugin, platform: string): LockedArtifact | undefined {
  return artifacts[platform] ?? artifacts['any']
}

interface Reading {
  readonly store: PackageStore
  readonly platform: string
  readonly lockPath: string
}

async function readPlugin(
  id: string,
  plugin: LockedPlugin,
  { store, platform, lockPath }: Reading,
): Promise<{ readonly found: FoundPackage } | { readonly problem: SourceProblem }> {
  const { version } = plugin
  const artifact = artifactFor(plugin, platform)
  const path = `${lockPath}#${id}`
  const failed = (error: { readonly toJSON: () => SourceProblem['error'] }): { readonly problem: SourceProblem } => ({
    problem: { path, error: error.toJSON() },
  })
  if (artifact === undefined) {
    const platforms = Object.keys(plugin.artifacts).join(', ')
    return failed(sourceErrors.error('INSTALL_NO_ARTIFACT', { plugin: id, version, platform, platforms }, { plugin: id }))
  }
  const { digest } = artifact
  const missing = (): ReturnType<typeof sourceErrors.error> =>
    sourceErrors.error('INSTALL_NOT_STORED', { plugin: id, version, digest }, { plugin: id })
  const glimpse = await store.glimpse(id, digest)
  if (glimpse === undefined || !cameIn(artifact, arrivalIn(glimpse.facts))) return failed(missing())
  const { manifest } = glimpse
  const found = `${String(Reflect.get(Object(manifest), 'id'))} ${String(Reflect.get(Object(manifest), 'version'))}`
  if (found !== `${id} ${version}`) {
    const parameters = { place: `${lockPath}: ${digest}`, found, plugin: `${id} ${version}` }
    return failed(sourceErrors.error('INSTALL_WRONG_ID', parameters, { plugin: id }))
  }
  const stage = async (signal: AbortSignal): Promise<StagedPackage> => {
    const recalled = await recallPackage(store, digest, signal)
    if (recalled !== undefined && isDeepStrictEqual(recalled.manifest, manifest)) return recalled.staged
    await recalled?.staged.release?.()
    throw missing()
  }
  return { found: { manifest, manifestPath: `${path}/plugin.json`, path, fingerprint: `${id}@${version} ${digest}`, stage } }
}

interface Following {
  readonly seen: () => string
  readonly lookMs: number
  readonly changed: () => void
  readonly signal: AbortSignal
}

/** Tells of a lock that differs from the one that was listed. One that cannot be read is told by the next list. */
async function follow(lockPath: string, { seen, lookMs, changed, signal }: Following): Promise<void> {
  using hints = new FolderHints()
  let told = ''
  while (!signal.aborted) {
    hints.follow([dirname(lockPath)])
    await waitOnClock(systemClock, lookMs, signal, hints)
    if (signal.aborted) return
    const etag = await readLock(lockPath).then(
      (reading) => reading.etag,
      () => 'unreadable',
    )
    if (etag === seen() || etag === told) continue
    told = etag
    queueMicrotask(changed)
  }
}
