import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PackageAttestation } from '@backplane/kernel'
import type { PackageLimits } from './limits.ts'
import { readManifest } from './read-manifest.ts'
import { timeSlice } from './time-slice.ts'

/** For packages about which nobody says anything. */
export const noAttestations: readonly PackageAttestation[] = Object.freeze([])

/** Folder of a package with what others say about it; no part of the tree, because names with a dot in front never are. */
export const attestationFolder = '.backplane'

/** Files beyond this many are not read. */
const mostFiles = 64

/**
 * What others say about the package in a folder: its `.backplane/*.json`, by name. A file that cannot be read as JSON is
 * passed on with the text that says so, for the verdict to name it.
 */
export async function readAttestations(path: string, limits: PackageLimits): Promise<readonly PackageAttestation[]> {
  const folder = join(path, attestationFolder)
  const names = await readdir(folder).catch(() => [])
  const files = names.filter((name) => name.endsWith('.json')).sort()
  if (files.length === 0) return noAttestations
  const breathe = timeSlice()
  const read: PackageAttestation[] = []
  for (const name of files.slice(0, mostFiles)) {
    const reading = readManifest(join(folder, name), limits)
    const content = reading.kind === 'read' ? reading.manifest : reading.error.message
    read.push({ file: `${attestationFolder}/${name}`, content })
    await breathe()
  }
  return read
}

/** As they were kept with a package in the store. */
export function attestationsIn(facts: unknown): readonly PackageAttestation[] {
  const kept: unknown = Reflect.get(Object(facts), 'attestations')
  return Array.isArray(kept) ? (kept as readonly PackageAttestation[]) : noAttestations
}
