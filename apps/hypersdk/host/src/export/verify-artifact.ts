import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readArtifactManifest, type ArtifactManifest } from './artifact-manifest.ts'
import { hashFile } from './hash-file.ts'

/** One disk file of an artifact, held against its manifest. */
export interface VerifiedFile {
  readonly disk: string
  readonly path: string
  readonly status: 'intact' | 'missing' | 'wrong-size' | 'wrong-checksum'
  /** `sha256:` and 64 hexadecimal digits; null when it was not worth computing. */
  readonly checksum: string | null
}

/** What verifying an artifact came to. */
export interface Verification {
  /** Every file is intact. */
  readonly ok: boolean
  readonly manifest: ArtifactManifest
  readonly files: readonly VerifiedFile[]
}

/**
 * Reads every disk of an artifact again and compares. Files are looked for beside the manifest first, so an artifact may
 * be moved as a whole. Errors: `EXPORT_MANIFEST_INVALID`; `AbortError` by the signal.
 */
export async function verifyArtifact(manifestPath: string, signal?: AbortSignal): Promise<Verification> {
  const manifest = await readArtifactManifest(manifestPath)
  const files: VerifiedFile[] = []
  for (const disk of manifest.disks) files.push(await verifyDisk(disk, dirname(manifestPath), signal))
  return { ok: files.every(({ status }) => status === 'intact'), manifest, files }
}

async function verifyDisk(
  disk: ArtifactManifest['disks'][number],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<VerifiedFile> {
  const beside = join(directory, basename(disk.local_path))
  const path = (await sizeOf(beside)) === undefined ? disk.local_path : beside
  const size = await sizeOf(path)
  if (size === undefined) return { disk: disk.id, path, status: 'missing', checksum: null }
  const sha256 = await hashFile(path, disk.bytes, signal)
  if (sha256 === undefined) return { disk: disk.id, path, status: 'wrong-size', checksum: null }
  const checksum = `sha256:${sha256}`
  return { disk: disk.id, path, status: checksum === disk.checksum ? 'intact' : 'wrong-checksum', checksum }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  )
}
