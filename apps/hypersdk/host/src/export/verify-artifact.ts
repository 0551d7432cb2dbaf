import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readArtifactManifest, type ArtifactManifest } from './artifact-manifest.ts'
import { hashSteps } from './hash-file.ts'

/** One disk file of an artifact, held against its manifest. */
export interface VerifiedFile {
  readonly disk: string
  readonly path: string
  readonly status: 'intact' | 'missing' | 'wrong-size' | 'wrong-checksum' | 'unreadable'
  /** Length the manifest says. */
  readonly bytes: number
  /** As the manifest says: `sha256:` and 64 hexadecimal digits. */
  readonly expected: string
  /** As it was found, in the same form; null when it was not worth computing. */
  readonly checksum: string | null
}

/** How far the reading of one file is. */
export interface VerifyProgress {
  readonly disk: string
  readonly path: string
  readonly bytes_done: number
  readonly bytes_total: number
}

/** What happens while an artifact is verified: each file once, in the manifest's order, and progress before a long one. */
export type VerifyStep =
  | { readonly kind: 'progress'; readonly progress: VerifyProgress }
  | { readonly kind: 'file'; readonly file: VerifiedFile }

/** What verifying an artifact came to. */
export interface Verification {
  /** Every file is intact. */
  readonly ok: boolean
  readonly files: readonly VerifiedFile[]
}

/**
 * Reads every disk of an artifact again and compares. Files are looked for beside the manifest and nowhere else, so an
 * artifact may be moved as a whole. Errors: `EXPORT_MANIFEST_INVALID`; `AbortError` by the signal.
 */
export async function verifyArtifact(manifestPath: string, signal?: AbortSignal): Promise<Verification> {
  const files: VerifiedFile[] = []
  for await (const step of verifySteps(await readArtifactManifest(manifestPath), dirname(manifestPath), signal)) {
    if (step.kind === 'file') files.push(step.file)
  }
  return { ok: isIntact(files), files }
}

/** Whether every file is as it should be. */
export function isIntact(files: readonly VerifiedFile[]): boolean {
  return files.every(({ status }) => status === 'intact')
}

/** The same step by step, for what can take hours. Errors: `AbortError` by the signal. */
export async function* verifySteps(
  { disks }: ArtifactManifest,
  directory: string,
  signal?: AbortSignal,
): AsyncGenerator<VerifyStep, void, undefined> {
  for (const disk of disks) {
    const path = join(directory, basename(disk.local_path))
    const file = { disk: disk.id, path, bytes: disk.bytes, expected: disk.checksum }
    const steps = verifyDisk(disk, path, signal)
    for (;;) {
      const { done, value } = await steps.next()
      if (done === true) {
        yield { kind: 'file', file: { ...file, ...value } }
        break
      }
      yield { kind: 'progress', progress: { disk: disk.id, path, bytes_done: value, bytes_total: disk.bytes } }
    }
  }
}

async function* verifyDisk(
  { bytes, checksum: expected }: ArtifactManifest['disks'][number],
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<number, Pick<VerifiedFile, 'status' | 'checksum'>, undefined> {
  try {
    const size = await stat(path).then(
      (found) => found.size,
      () => undefined,
    )
    if (size === undefined) return { status: 'missing', checksum: null }
    const sha256 = yield* hashSteps(path, bytes, signal)
    if (sha256 === undefined) return { status: size === bytes ? 'unreadable' : 'wrong-size', checksum: null }
    const checksum = `sha256:${sha256}`
    return { status: checksum === expected ? 'intact' : 'wrong-checksum', checksum }
  } catch (error) {
    if (signal?.aborted === true) throw error
    return { status: 'unreadable', checksum: null }
  }
}
