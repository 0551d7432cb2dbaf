import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { backplaneErrors } from '../errors.ts'

/** Under its name only once it is whole; nothing is left of what was broken off, and undefined answered. */
export async function toFile(bytes: Readable, path: string, broken: AbortSignal): Promise<number | undefined> {
  // A name nobody else can have put a link under.
  const partial = `${path}.${randomBytes(6).toString('hex')}.part`
  const file = createWriteStream(partial, { mode: 0o600, flags: 'wx' })
  try {
    await pipeline(bytes, file, { signal: broken })
    await rename(partial, path)
  } catch (error) {
    // It may still be about to be made.
    if (!file.closed) await once(file.destroy(), 'close')
    await rm(partial, { force: true })
    if (broken.aborted) return undefined
    const code: unknown = Reflect.get(Object(error), 'code')
    if (file.errored !== error && code === 'ECONNRESET') throw error
    throw backplaneErrors.error('BACKPLANE_FILE_UNWRITABLE', { path, reason: String(code ?? error) }, { cause: error })
  }
  return file.bytesWritten
}
