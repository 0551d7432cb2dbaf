import { createHash } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
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
 * the host said; until then what was there before stays. Errors: `BACKPLANE_FILE_UNWRITABLE`, `BACKPLANE_FILE_INVALID`, those of the host.
 */
export async function saveBundle(session: Session, path: string, signal: AbortSignal): Promise<MadeBundle> {
  using bar = progressBar(session.terminal, session.json)
  const made = (await session.api().change('/api/lock/bundle', {}, bar.show)) as MadeBundle
  const { bytes, sizeBytes: total } = await session.api().read(made.location)
  const onProgress = (done: number): void =>
    bar.show({ done, ...(total === undefined ? {} : { total }), phase: `writing ${path}` })
  await toFile(bytes, path, { signal, through: digested(made.digest, path, onProgress) })
  return made
}

/** Passes bytes on, and ends in an error where they are not what the host made. */
function digested(digest: string, path: string, onProgress: (done: number) => void): Transform {
  const sum = createHash('sha256')
  let done = 0
  return new Transform({
    transform: (piece: Uint8Array, _encoding, pass: TransformCallback) => {
      sum.update(piece)
      done += piece.length
      onProgress(done)
      pass(null, piece)
    },
    flush: (end: TransformCallback) => {
      if (`sha256:${sum.digest('hex')}` === digest) return end()
      const hint = 'Try again; look at what lies between here and the host if it stays so.'
      end(backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it is not what the host made', hint }))
    },
  })
}
