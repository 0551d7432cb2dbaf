import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import type { FoundPackage, Source, SourceListing } from '@backplane/kernel'
import type { PluginModule } from '@backplane/sdk'
import { sourceErrors } from './errors.ts'
import { recallPackage, type Stager } from './found-package.ts'
import pLimit from 'p-limit'
import { defaultPackageLimits, type PackageLimits } from './limits.ts'
import { PackageStore } from './package-store.ts'
import { readPlace, type PackageReading } from './read-place.ts'
import { lookAtPackage } from './tree-look.ts'

/** A plugin that ships with the host: its module already in memory (runs only `trusted`), or its folder. */
export type BundledItem = { readonly manifest: unknown; readonly module: PluginModule } | { readonly directory: string }

/** How bundled folders are staged. */
export interface BundledOptions {
  /** Directory of the store that packages are staged into, as in `directory()`; needed when an item is a folder. */
  readonly store?: string
  readonly limits?: Partial<PackageLimits>
  /** As in `directory()`. */
  readonly keepVersions?: number
  /** Globs, relative to the folder, of what is no part of the package. */
  readonly ignore?: readonly string[]
}

/**
 * Plugins that ship with the host, in the order given; nothing else has this origin. Folders hold a `plugin.json` and a
 * module (`.ts` is fine) and are staged like any other package, so a build that rewrites them never touches what runs.
 * Errors: `SOURCE_STORE_MISSING`.
 */
export function bundled(items: readonly BundledItem[], options: BundledOptions = {}): Source {
  const { store, ignore = [], keepVersions } = options
  const stagerFor = (directory: string): Stager => {
    if (store === undefined) throw sourceErrors.error('SOURCE_STORE_MISSING', { path: directory })
    return { limits, ignore, store: (packages ??= new PackageStore(resolve(store), keepVersions)), gate }
  }
  const limits = { ...defaultPackageLimits, ...options.limits }
  const gate = pLimit(4)
  let packages: PackageStore | undefined
  const readers = items.map((item) => {
    if ('module' in item) return (): Reading => ({ kind: 'package', found: inMemory(item.manifest, item.module) })
    const path = resolve(item.directory)
    const stager = stagerFor(path)
    return (): Reading => readFolder(path, stager)
  })
  const list: Source['list'] = async (signal) => {
    signal.throwIfAborted()
    return listingOf(readers.map((read) => read()))
  }
  const recall: Source['recall'] = async (digest, signal) =>
    packages === undefined ? undefined : recallPackage(packages, digest, signal)
  return { name: 'bundled', origin: 'bundled', list, recall }
}

type Reading = PackageReading | { readonly kind: 'package'; readonly found: FoundPackage }

function listingOf(readings: readonly Reading[]): SourceListing {
  return {
    packages: readings.flatMap((reading) => (reading.kind === 'package' ? [reading.found] : [])),
    problems: readings.flatMap((reading) => (reading.kind === 'problem' ? [reading.problem] : [])),
  }
}

function inMemory(manifest: unknown, module: PluginModule): FoundPackage {
  const digest = `sha256:${hash('sha256', JSON.stringify(manifest))}`
  const stage: FoundPackage['stage'] = async () => ({ digest, code: { kind: 'module', module } })
  return { manifest, manifestPath: 'bundled', path: 'bundled', fingerprint: digest, stage }
}

function readFolder(path: string, stager: Stager): PackageReading {
  const look = lookAtPackage(path, 'folder', { limits: stager.limits, ignore: stager.ignore })
  if (look !== undefined) return readPlace({ path, kind: 'folder', look, dialect: undefined }, stager)
  const error = sourceErrors.error('SOURCE_UNREADABLE', { path, reason: 'it is not there' })
  return { kind: 'problem', problem: { path, error: error.toJSON() } }
}
