import { posix } from 'node:path'
import type { FoundPackage, StagedPackage } from '@backplane/kernel'
import { sourceErrors } from './errors.ts'
import type { Gate } from './gate.ts'
import type { PackageStore } from './package-store.ts'
import { readTree } from './read-tree.ts'
import { lookAtPackage, type LookOptions, type TreeLook } from './tree-look.ts'

/** A package in files, as it was listed. */
export interface PackageFacts {
  /** Absolute. */
  readonly path: string
  readonly kind: 'folder' | 'file'
  readonly manifest: unknown
  readonly manifestPath: string
  readonly fingerprint: string
  /** Overrides the manifest's. */
  readonly main?: string | undefined
  readonly adapter?: string | undefined
}

/** What staging needs beside the package. */
export interface Stager extends LookOptions {
  readonly store: PackageStore
  /** Bounds the memory of packages staged at once. */
  readonly gate: Gate
}

/** The package as the kernel sees it; `stage` brings into the store what was listed, or fails with `SOURCE_CHANGED`. */
export function foundPackage(facts: PackageFacts, stager: Stager): FoundPackage {
  const { manifest, manifestPath, path, fingerprint } = facts
  return { manifest, manifestPath, path, fingerprint, stage: (signal) => stager.gate.run(() => stage(facts, stager, signal)) }
}

async function stage(facts: PackageFacts, stager: Stager, signal: AbortSignal): Promise<StagedPackage> {
  signal.throwIfAborted()
  const look = lookAsListed(facts, stager)
  const main = posix.normalize(facts.main ?? mainOf(facts.manifest))
  if (look.exceeded === undefined && !look.entries.some((entry) => entry.path === main)) {
    throw sourceErrors.error('SOURCE_ENTRY_MISSING', { path: facts.path, main })
  }
  const tree = await readTree(look, signal)
  lookAsListed(facts, stager)
  const directory = await stager.store.put(tree, signal)
  const adapter = facts.adapter === undefined ? {} : { adapter: facts.adapter }
  return { digest: tree.digest, code: { kind: 'files', directory, main, ...adapter } }
}

function lookAsListed(facts: PackageFacts, stager: Stager): TreeLook {
  const look = lookAtPackage(facts.path, facts.kind, { limits: stager.limits, ignore: stager.ignore })
  if (look?.fingerprint !== facts.fingerprint) throw sourceErrors.error('SOURCE_CHANGED', { path: facts.path })
  return look
}

function mainOf(manifest: unknown): string {
  const main: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'main') : undefined
  return typeof main === 'string' ? main : 'index.js'
}
