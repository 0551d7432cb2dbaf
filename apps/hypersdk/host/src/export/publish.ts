import { link, lstat, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '@backplane/sdk'
import { parseArtifactManifest, readArtifactManifest, type ArtifactManifest } from './artifact-manifest.ts'
import { exportErrors } from './errors.ts'
import { refuseExisting, type ExportTarget } from './export-target.ts'
import { hashFile } from './hash-file.ts'
import { writeError } from './write-error.ts'

/*
 * How an export becomes visible. All disks are complete under their partial names before the manifest is written under
 * its own partial name; from then on the export is decided, and whoever comes next finishes it. The manifest gets its
 * final name last. An empty manifest says that an attempt was begun.
 */

/** Leaves a mark that an attempt began. Errors: `EXPORT_WRITE_FAILED`, `EXPORT_DISK_FULL`. */
export async function beginAttempt(target: ExportTarget): Promise<void> {
  await writeManifest(target, '')
}

/**
 * Gives all files of a complete export their names. Errors: `EXPORT_TARGET_EXISTS`, `EXPORT_WRITE_FAILED`,
 * `EXPORT_DISK_FULL`; then no file has its final name.
 */
export async function publish(target: ExportTarget, manifest: ArtifactManifest): Promise<void> {
  const path = join(target.directory, target.names.manifest)
  await writeManifest(target, `${JSON.stringify(parseArtifactManifest(manifest, path), null, 2)}\n`)
  await placeAll(target, manifest, 'fresh')
}

/**
 * What an earlier attempt of the same export decided: its manifest, all files in place; undefined when there is nothing
 * to finish, and then none of its files has a final name. Calls `onDecided` when the signal is no longer heeded. Errors: as {@link publish}; `AbortError` by the signal.
 */
export async function finishEarlier(
  target: ExportTarget,
  signal: AbortSignal,
  onDecided?: () => void,
): Promise<ArtifactManifest | undefined> {
  const done = await ownManifest(target, target.names.manifest)
  if (done !== undefined && (await haveSizes(target, done))) {
    signal.throwIfAborted()
    onDecided?.()
    return done
  }
  const decided = await ownManifest(target, target.names.partial(target.names.manifest))
  if (decided === undefined) return undefined
  const disks = await Promise.all(decided.disks.map((disk, index) => locate(target, disk, index, signal)))
  if (disks.every(({ intact }) => intact)) {
    signal.throwIfAborted()
    onDecided?.()
    await placeAll(target, decided, 'resumed')
    return decided
  }
  for (const { path, intact, placed } of disks) if (placed && intact) await unlink(path)
  return undefined
}

async function writeManifest({ directory, names }: ExportTarget, text: string): Promise<void> {
  const path = join(directory, names.partial(names.manifest))
  try {
    await using file = await open(path, 'w', 0o600)
    await file.writeFile(text)
    await file.sync()
    await syncDirectory(directory)
  } catch (error) {
    throw await writeError(error, path, text.length)
  }
}

async function placeAll(target: ExportTarget, manifest: ArtifactManifest, how: 'fresh' | 'resumed'): Promise<void> {
  const placed: string[] = []
  const names = [...manifest.disks.map((_, index) => target.names.disk(index + 1)), target.names.manifest]
  try {
    for (const name of names) {
      await place(target, name, how)
      placed.push(join(target.directory, name))
    }
    await syncDirectory(target.directory)
  } catch (error) {
    for (const path of placed) await unlink(path).catch(() => {})
    throw error instanceof PlatformError ? error : await writeError(error, target.directory)
  }
}

/** Without `overwrite` a name that somebody else took meanwhile is refused, not replaced. */
async function place(target: ExportTarget, name: string, how: 'fresh' | 'resumed'): Promise<void> {
  const from = join(target.directory, target.names.partial(name))
  const to = join(target.directory, name)
  const [source, found] = await Promise.all([lstat(from).catch(() => undefined), lstat(to).catch(() => undefined)])
  if (source === undefined && found !== undefined && how === 'resumed') return
  const sameFile = source !== undefined && source.ino === found?.ino && source.dev === found.dev
  if (!sameFile) {
    await refuseExisting(target, name)
    if (target.overwrite || !(await linked(from, to))) return rename(from, to)
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

/** A manifest that this export wrote, about exactly the files it would write now. */
async function ownManifest(target: ExportTarget, name: string): Promise<ArtifactManifest | undefined> {
  const manifest = await readArtifactManifest(join(target.directory, name)).catch(() => undefined)
  if (manifest?.metadata['export_id'] !== target.exportId) return undefined
  const own = manifest.disks.every(({ local_path }, index) => local_path === join(target.directory, target.names.disk(index + 1)))
  return own ? manifest : undefined
}

async function haveSizes(target: ExportTarget, { disks }: ArtifactManifest): Promise<boolean> {
  const sizes = await Promise.all(disks.map(({ local_path }) => lstat(local_path).catch(() => undefined)))
  return sizes.every((found, index) => found?.isFile() === true && found.size === disks[index]?.bytes)
}

/** Finds a disk of a decided export under its partial name or, when it was already placed, under its own. */
async function locate(
  { directory, names }: ExportTarget,
  { bytes, checksum }: ArtifactManifest['disks'][number],
  index: number,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly intact: boolean; readonly placed: boolean }> {
  const name = names.disk(index + 1)
  const partial = join(directory, names.partial(name))
  const waiting = await lstat(partial).catch(() => undefined)
  const path = waiting === undefined ? join(directory, name) : partial
  const sha256 = await hashFile(path, bytes, signal)
  return { path, intact: `sha256:${sha256}` === checksum, placed: waiting === undefined }
}
