import { link, lstat, open, rename, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { parseArtifactManifest, type ArtifactManifest } from './artifact-manifest.ts'
import { exportErrors } from './errors.ts'
import { refuseExisting, type ExportTarget } from './export-target.ts'
import { partialSuffix } from './file-names.ts'
import { forgetReplaced, keepReplaced, restoreReplaced, setAside } from './replaced-files.ts'
import { writeError } from './write-error.ts'

/*
 * How an export becomes visible. All disks are complete under their partial names before the manifest is written under
 * its own partial name; from then on the export is decided, and whoever comes next finishes it. The manifest gets its
 * final name last, and an old one is taken away first: a manifest never stands beside disks that are not its own. An
 * empty manifest says that an attempt was begun.
 */

/** Which files get their names, and how. */
export interface Placement {
  readonly exportId: string
  /** Absolute. */
  readonly directory: string
  /** Final name of the manifest. */
  readonly manifestName: string
  readonly overwrite: boolean
}

/** The placement of an export that is made. */
export function placementOf({ exportId, directory, names, overwrite }: ExportTarget): Placement {
  return { exportId, directory, manifestName: names.manifest, overwrite }
}

/** Leaves a mark that an attempt began. Errors: `EXPORT_WRITE_FAILED`, `EXPORT_DISK_FULL`. */
export async function beginAttempt(target: ExportTarget): Promise<void> {
  await writeManifest(placementOf(target), '')
}

/**
 * Gives all files of a complete export their names. Errors: `EXPORT_TARGET_EXISTS`, `EXPORT_WRITE_FAILED`,
 * `EXPORT_DISK_FULL`; then no file has its final name, and what was to be replaced is as it was.
 */
export async function publish(target: ExportTarget, manifest: ArtifactManifest): Promise<void> {
  const placement = placementOf(target)
  const path = join(placement.directory, placement.manifestName)
  await writeManifest(placement, `${JSON.stringify(parseArtifactManifest(manifest, path), null, 2)}\n`)
  await placeAll(placement, manifest, 'fresh')
}

/**
 * Gives the files of a decided export their names, those that have not got them already. Errors: as {@link publish}, and
 * with the same promise.
 */
export async function placeAll(placement: Placement, manifest: ArtifactManifest, how: 'fresh' | 'resumed'): Promise<void> {
  const { directory, exportId, manifestName, overwrite } = placement
  const placed: string[] = []
  try {
    const partial = join(directory, manifestName + partialSuffix(exportId))
    if (overwrite && (await found(partial)) !== undefined) await setAside(join(directory, manifestName), exportId)
    for (const name of [...manifest.disks.map(({ local_path }) => basename(local_path)), manifestName]) {
      await place(placement, name, how)
      placed.push(join(directory, name))
    }
    await syncDirectory(directory)
  } catch (error) {
    await takeBack(placement, placed)
    throw error instanceof PlatformError ? error : await writeError(error, directory)
  }
  await forgetReplaced(directory, exportId)
}

/** Removes what an export has placed, and brings back what it replaced. Never rejects: who calls it has failed already. */
export async function takeBack(
  { directory, exportId }: Pick<Placement, 'directory' | 'exportId'>,
  placed: readonly string[],
): Promise<void> {
  for (const path of placed) await unlink(path).catch(() => {})
  await restoreReplaced(directory, exportId).catch(() => {})
}

async function writeManifest({ directory, exportId, manifestName }: Placement, text: string): Promise<void> {
  const path = join(directory, manifestName + partialSuffix(exportId))
  try {
    await using file = await open(path, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
    await syncDirectory(directory)
  } catch (error) {
    throw await writeError(error, path, text.length)
  }
}

/** Without `overwrite` a name that somebody else took meanwhile is refused, not replaced. */
async function place(placement: Placement, name: string, how: 'fresh' | 'resumed'): Promise<void> {
  const { directory, exportId, overwrite } = placement
  const to = join(directory, name)
  const from = to + partialSuffix(exportId)
  const [source, target] = await Promise.all([found(from), found(to)])
  if (source === undefined && target !== undefined && how === 'resumed') return
  const sameFile = source !== undefined && source.ino === target?.ino && source.dev === target.dev
  if (!sameFile) {
    await refuseExisting(placement, name)
    if (overwrite && target !== undefined) await keepReplaced(to, exportId)
    if (overwrite || !(await linked(from, to))) return rename(from, to)
  }
  await unlink(from).catch(async (error: unknown) => {
    await unlink(to)
    throw error
  })
}

/** A link refuses an existing name, a renaming replaces it. False where the file system has no hard links. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw exportErrors.error('EXPORT_TARGET_EXISTS', { path: to }, { cause: error })
    }
    return false
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory)
  await handle.sync()
}

function found(path: string): Promise<{ readonly ino: number; readonly dev: number } | undefined> {
  return lstat(path).catch(() => undefined)
}
