import { constants } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** A package with more is worth its own start. */
const most = { files: 500, bytes: 8 * 1024 ** 2 }

/**
 * Where a sandbox that was started before its plugin's code was known finds that code: a directory that it may only read
 * and that its host fills later. With it comes a place for files that are handed over.
 */
export interface CodePlace extends AsyncDisposable {
  readonly code: string
  readonly exchange: string
  /** Copies a package into it; false when it holds what is not worth that, or not allowed. */
  readonly fill: (directory: string) => Promise<boolean>
}

/**
 * Makes an empty place: for code under `parent`, for what is handed over under `exchangeParent`, because that may be large.
 * Dispose it to remove both with what is in them.
 */
export async function makeCodePlace(parent: string, exchangeParent: string): Promise<CodePlace> {
  const exchange = await mkdtemp(join(exchangeParent, 'ahead-'))
  const directory = await mkdtemp(join(parent, 'ahead-'))
  const code = join(directory, 'code')
  await mkdir(code, { mode: 0o755 })
  return {
    code,
    exchange,
    fill: (from) => fill(from, code),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([directory, exchange].map((path) => rm(path, { recursive: true, force: true })))
    },
  }
}

async function fill(from: string, to: string): Promise<boolean> {
  const entries = await readdir(from, { withFileTypes: true, recursive: true })
  if (entries.length > most.files || entries.some((entry) => !entry.isFile() && !entry.isDirectory())) return false
  const placeOf = (path: string): string => join(to, path.slice(from.length))
  // A folder comes before what is in it.
  for (const entry of entries.filter((one) => one.isDirectory())) {
    await mkdir(placeOf(join(entry.parentPath, entry.name)), { mode: 0o755, recursive: true })
  }
  const files = entries.filter((one) => one.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size))
  if (sizes.reduce((sum, size) => sum + size, 0) > most.bytes) return false
  await Promise.all(files.map((path) => copyFile(path, placeOf(path), constants.COPYFILE_FICLONE)))
  return true
}
