import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { backplaneErrors } from '../errors.ts'
import { progressBar } from '../installing/progress-bar.ts'
import type { Session } from '../session.ts'
import { toFile } from './to-file.ts'

/** A bundle that a host made. */
export interface MadeBundle {
  readonly digest: string
  readonly size_bytes: number
  readonly plugins: readonly string[]
  readonly location: string
}

/**
 * Has the host bundle what its lock names, and writes that to a file, which is there once it is whole and has the digest that
 * the host said. Errors: `BACKPLANE_FILE_UNWRITABLE`, `BACKPLANE_FILE_INVALID`, those of the host.
 */
export async function saveBundle(session: Session, path: string): Promise<MadeBundle> {
  using bar = progressBar(session.terminal, session.json)
  const made = (await session.api().change('/api/lock/bundle', {}, bar.show)) as MadeBundle
  const { bytes, sizeBytes: total } = await session.api().read(made.location)
  const counted = Readable.from(
    (async function* () {
      let done = 0
      for await (const piece of bytes as AsyncIterable<Uint8Array>) {
        yield piece
        done += piece.length
        bar.show({ done, ...(total === undefined ? {} : { total }), phase: `writing ${path}` })
      }
    })(),
    { objectMode: false },
  )
  const written = await toFile(counted, path, session.terminal.untilBreak())
  if (written !== undefined && (await digestOf(path)) === made.digest) return made
  await rm(path, { force: true })
  const hint = 'Try again; look at what lies between here and the host if it stays so.'
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it is not what the host made', hint })
}

async function digestOf(path: string): Promise<string> {
  const sum = createHash('sha256')
  for await (const piece of createReadStream(path)) sum.update(piece as Uint8Array)
  return `sha256:${sum.digest('hex')}`
}
