import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { serverErrors } from '../errors.ts'

/**
 * The text of a file that nobody but its owner may read, at most `limitBytes` of it; undefined when there is none.
 * Errors: `SERVER_TOKEN_FILE_EXPOSED` when others may, and those of the system.
 */
export async function readPrivateFile(path: string, limitBytes: number): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  await using opened = file
  refuseExposed(path, await opened.stat())
  const { buffer, bytesRead } = await opened.read(Buffer.alloc(limitBytes), 0, limitBytes, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

/** Refuses what others than this process and root may read or put something else into. Errors: `SERVER_TOKEN_FILE_EXPOSED`. */
export function refuseExposed(path: string, { mode, uid }: Pick<Stats, 'mode' | 'uid'>): void {
  const isForeign = uid !== (process.geteuid?.() ?? uid) && uid !== 0
  if ((mode & 0o077) === 0 && !isForeign) return
  const how = isForeign ? `it belongs to user ${uid}` : `mode ${(mode & 0o777).toString(8)}`
  throw serverErrors.error('SERVER_TOKEN_FILE_EXPOSED', { path, how })
}

/**
 * Puts a text, whole and on the disk, in the place of what was there, in a file of mode 0600; makes its directory of mode
 * 0700 where that is missing. `place` moves it from where it was written to its name.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  place: (temporary: string, path: string) => Promise<void> = rename,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    {
      await using file = await open(temporary, 'wx', 0o600)
      await file.writeFile(text)
      await file.sync()
    }
    await place(temporary, path)
    await using directory = await open(dirname(path), 'r')
    await directory.sync()
  } finally {
    await unlink(temporary).catch(() => undefined)
  }
}
