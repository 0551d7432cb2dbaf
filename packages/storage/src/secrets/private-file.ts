import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storageErrors } from '../errors.ts'

/**
 * The text of a file that only its owner may read; undefined where there is none. What was checked is what is read: a
 * link is not followed, nothing is waited for that is no file, and it is opened once. Errors: `SECRETS_EXPOSED`, `SECRETS_FULL`, those of the system.
 */
export async function readPrivate(path: string, limitBytes: number): Promise<string | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
  const opened = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    if (['ENOENT', 'ELOOP'].includes(String(Reflect.get(Object(error), 'code')))) return undefined
    throw error
  })
  if (opened === undefined) return undefined
  await using file = opened
  const found = await file.stat()
  if (!found.isFile()) return undefined
  refuseExposed(path, found)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(limitBytes + 1), 0, limitBytes + 1, 0)
  if (bytesRead > limitBytes) throw storageErrors.error('SECRETS_FULL', { what: path, limit: limitBytes, unit: 'bytes' })
  return buffer.toString('utf8', 0, bytesRead)
}

/** Puts a text, whole and on the disk, in the place of what was there; mode 0600. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    {
      await using file = await open(temporary, 'wx', 0o600)
      await file.writeFile(text)
      await file.sync()
    }
    await rename(temporary, path)
    await using directory = await open(dirname(path), 'r')
    await directory.sync()
  } finally {
    await unlink(temporary).catch(() => undefined)
  }
}

/** Whether a file belongs to somebody who is neither this process nor root. */
export function isForeign(uid: number): boolean {
  return uid !== (process.geteuid?.() ?? uid) && uid !== 0
}

/** Refuses what others than this process and root may read or put something else into. Errors: `SECRETS_EXPOSED`. */
export function refuseExposed(path: string, { mode, uid }: Pick<Stats, 'mode' | 'uid'>): void {
  if ((mode & 0o077) !== 0) {
    const how = `mode ${(mode & 0o777).toString(8).padStart(4, '0')}`
    throw storageErrors.error('SECRETS_EXPOSED', { path, how, todo: `Run chmod go-rwx ${path}.` })
  }
  if (!isForeign(uid)) return
  const todo = `Run it as user ${uid}, or run chown ${process.geteuid?.()} ${path}.`
  const parameters = { path, how: `it belongs to user ${uid}`, todo }
  throw storageErrors.error('SECRETS_EXPOSED', parameters)
}
