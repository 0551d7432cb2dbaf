import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { PassThrough, type Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { PlatformError } from '@backplane/sdk'
import { unwritable } from './file-text.ts'

/**
 * Under its name only once it is whole and went `through` without an error, and until then what was there before; answers how many bytes it has. Errors:
 * `BACKPLANE_FILE_UNWRITABLE`, those of the bytes; nothing is left then, nor once the signal is aborted.
 */
export async function toFile(
  bytes: Readable,
  path: string,
  { signal, through = new PassThrough() }: { readonly signal: AbortSignal; readonly through?: Transform },
): Promise<number> {
  // A name nobody else can have put a link under.
  const partial = `${path}.${randomBytes(6).toString('hex')}.part`
  const file = createWriteStream(partial, { mode: 0o600, flags: 'wx' })
  try {
    await pipeline(bytes, through, file, { signal })
    await rename(partial, path)
  } catch (error) {
    // It may still be about to be made.
    if (!file.closed) await once(file.destroy(), 'close')
    await rm(partial, { force: true })
    if (signal.aborted || error instanceof PlatformError) throw error
    return unwritable(path)(error)
  }
  return file.bytesWritten
}
