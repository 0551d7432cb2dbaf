import { lstat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ExportResult } from '@hypersdk/points'
import { readArtifactManifest, type ArtifactManifest } from './artifact-manifest.ts'
import { exportResult } from './describe-export.ts'
import { claimPath } from './export-target.ts'
import { partialSuffix } from './file-names.ts'
import { hashFile } from './hash-file.ts'
import { placeAll, takeBack, type Placement } from './publish.ts'
import { forgetReplaced } from './replaced-files.ts'
import { sweepPartials } from './sweep-partials.ts'

/**
 * Finishes an export that was decided before a crash, by what lies in its directory alone: no provider is asked. Answers
 * undefined when there is nothing whole to finish; then none of its files has a final name, and what it was to replace
 * is there. Errors: as `publish`; `EXPORT_TARGET_BUSY`; `AbortError` by the signal, which leaves everything as it is.
 */
export async function finishExport(manifest: string, exportId: string, signal: AbortSignal): Promise<ExportResult | undefined> {
  using _claim = claimPath(manifest)
  const at = { exportId, directory: dirname(manifest), manifestName: basename(manifest) }
  const finished = await finishEarlier(at, signal)
  if (finished === undefined) return undefined
  await sweepPartials(at.directory, exportId)
  return exportResult(finished, manifest)
}

/**
 * What an earlier attempt of the same export decided: its manifest, all files in place; undefined when there is nothing
 * to finish. Calls `onDecided` when the signal is no longer heeded. Errors: as {@link finishExport}.
 */
export async function finishEarlier(
  at: Omit<Placement, 'overwrite'>,
  signal: AbortSignal,
  onDecided?: () => void,
): Promise<ArtifactManifest | undefined> {
  const done = await ownManifest(at, at.manifestName)
  if (done !== undefined && (await haveSizes(done))) {
    // It is published, so it is done, whoever wants it cancelled now.
    onDecided?.()
    await forgetReplaced(at.directory, at.exportId)
    return done
  }
  const decided = await ownManifest(at, at.manifestName + partialSuffix(at.exportId))
  const disks = decided === undefined ? [] : await Promise.all(decided.disks.map((disk) => locate(at, disk, signal)))
  if (decided !== undefined && disks.every(({ intact }) => intact)) {
    signal.throwIfAborted()
    onDecided?.()
    await placeAll({ ...at, overwrite: decided.options['overwrite'] === true }, decided, 'resumed')
    return decided
  }
  await takeBack(
    at,
    disks.filter(({ placed, intact }) => placed && intact).map(({ path }) => path),
  )
  return undefined
}

/** A manifest that this export wrote, about files of this directory named as its manifest is. */
async function ownManifest(at: Omit<Placement, 'overwrite'>, name: string): Promise<ArtifactManifest | undefined> {
  const manifest = await readArtifactManifest(join(at.directory, name)).catch(() => undefined)
  if (manifest?.metadata['export_id'] !== at.exportId) return undefined
  const base = join(at.directory, at.manifestName.replace(/\.manifest\.json$/, ''))
  const own = manifest.disks.every(({ local_path }) => dirname(local_path) === at.directory && local_path.startsWith(base))
  return own ? manifest : undefined
}

async function haveSizes({ disks }: ArtifactManifest): Promise<boolean> {
  const sizes = await Promise.all(disks.map(({ local_path }) => lstat(local_path).catch(() => undefined)))
  return sizes.every((found, index) => found?.isFile() === true && found.size === disks[index]?.bytes)
}

/** Finds a disk of a decided export under its partial name or, when it was already placed, under its own. */
async function locate(
  { exportId }: Pick<Placement, 'exportId'>,
  { bytes, checksum, local_path }: ArtifactManifest['disks'][number],
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly intact: boolean; readonly placed: boolean }> {
  const partial = local_path + partialSuffix(exportId)
  const waiting = await lstat(partial).catch(() => undefined)
  const path = waiting === undefined ? local_path : partial
  const sha256 = await hashFile(path, bytes, signal)
  return { path, intact: `sha256:${sha256}` === checksum, placed: waiting === undefined }
}
