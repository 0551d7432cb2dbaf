import { resolve } from 'node:path'
import type { Clock, Source } from '@backplane/kernel'
import { DialectClaims } from './dialect-claims.ts'
import type { Dialect } from './dialect.ts'
import { recallPackage } from './found-package.ts'
import pLimit from 'p-limit'
import { keepLooking } from './keep-looking.ts'
import { defaultPackageLimits, type PackageLimits } from './limits.ts'
import { ManifestCache } from './manifest-cache.ts'
import { PackageStore } from './package-store.ts'
import { Shelf } from './shelf.ts'
import { systemClock } from './system-clock.ts'
import { waitOnClock } from './wait-on-clock.ts'

/** How plugin directories are read. */
export interface DirectoryOptions {
  /**
   * Directory of the content-addressed store that packages are staged into, mode 0700; may be shared with other sources
   * and processes. Whoever may write to it decides what runs.
   */
  readonly store: string
  /** Offer `watch`. Default true. */
  readonly watch?: boolean
  /** Asked, in this order, for packages without a `plugin.json`. */
  readonly dialects?: readonly Dialect[]
  readonly limits?: Partial<PackageLimits>
  /** Staged packages of each plugin that are kept though nobody uses them, newest first. Default 2. */
  readonly keepVersions?: number
  /**
   * Globs of what is no package and no part of one; matched against the path below the plugin directory, and below the
   * package. Names that begin with a dot never count.
   */
  readonly ignore?: readonly string[]
  /** Folders below a plugin directory that are searched. Default 8. */
  readonly depth?: number
  /** A changed package counts once two looks this far apart saw the same bytes, ms. Default 150. */
  readonly settleMs?: number
  /** Between looks when the system reports no change, ms; longer when looking takes long. Default 1 000. */
  readonly lookMs?: number
  /** File that keeps the manifests, so that thousands are ready at the next start without being read. */
  readonly index?: string
  readonly clock?: Clock
}

/**
 * Packages in one or several directories, in order of precedence. A folder with a `plugin.json` is a package and is not
 * searched further; one without is searched. Within a directory the highest version of an id comes first. A directory
 * that does not exist is empty until it does.
 *
 * While a package is being written, replaced or removed, `list` gives the state in which it last was at rest (none if
 * it is new), and waits `settleMs` once for it to settle. The fingerprint covers path, mode, size, modification time,
 * change time and inode of every file, so restoring a size and a modification time does not hide an edit.
 *
 * Problems by code: `SOURCE_MANIFEST_INVALID` with line and column, `SOURCE_UNREADABLE`, `SOURCE_LINK_SKIPPED`,
 * `SOURCE_TOO_DEEP`, `SOURCE_DIALECT_FAILED`, `SOURCE_UNSETTLED`. Source: seed 000 "Plugin Discovery", "Hot Reload".
 */
export function directory(paths: string | readonly string[], options: DirectoryOptions): Source {
  const { dialects = [], ignore = [], depth = 8, settleMs = 150, lookMs = 1_000, clock = systemClock } = options
  const roots = (typeof paths === 'string' ? [paths] : paths).map((path) => resolve(path))
  const limits = { ...defaultPackageLimits, ...options.limits }
  const stager = {
    limits,
    ignore,
    store: new PackageStore(resolve(options.store), options.keepVersions),
    gate: pLimit(4),
    dialects,
  }
  const cache = options.index === undefined ? undefined : new ManifestCache(resolve(options.index))
  const shelf = new Shelf({ roots, stager, claims: new DialectClaims(dialects), depth, settleMs, clock, cache })
  let listed = 0

  const list: Source['list'] = async (signal) => {
    await shelf.look(signal)
    if (!shelf.isAtRest) {
      await settle(clock, settleMs, signal)
      await shelf.look(signal)
    }
    listed = shelf.revision
    return shelf.listing()
  }
  const watch = (changed: () => void): AsyncDisposable => keepLooking(shelf, { clock, settleMs, lookMs, seen: listed, changed })
  const remember: Source['remember'] = (summaries) => shelf.remember(summaries)
  return {
    name: `directory:${roots.join(':')}`,
    origin: 'external',
    list,
    remember,
    recall: (digest, signal) => recallPackage(stager.store, digest, signal, dialects),
    forget: (plugin) => stager.store.forget(plugin),
    ...(options.watch === false ? {} : { watch }),
  }
}

const aDayMs = 86_400_000

/** Clocks do not keep the process alive; somebody awaits this wait. */
async function settle(clock: Clock, settleMs: number, signal: AbortSignal): Promise<void> {
  const alive = setInterval(() => {}, aDayMs)
  try {
    await waitOnClock(clock, settleMs, signal)
  } finally {
    clearInterval(alive)
  }
}
