import { createHash } from 'node:crypto'
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
 * the host said; until then what was there before stays. Errors: `BACKPLANE_FILE_UNWRITABLE`, `BACKPLANE_FILE_INVALID`, those of the host.
 */
export async function saveBundle(session: Session, path: string, signal: AbortSignal): Promise<MadeBundle> {
  using bar = progressBar(session.terminal, session.json)
  const made = (await session.api().change('/api/lock/bundle', {}, bar.show)) as MadeBundle
  const { bytes, sizeBytes: total } = await session.api().read(made.location)
  const onProgress = (done: number): void =>
    bar.show({ done, ...(total === undefined ? {} : { total }), phase: `writing ${path}` })
  await toFile(Readable.from(digested(bytes, made, { path, onProgress }), { objectMode: false }), path, signal)
  return made
}

/** The bytes, which end in an error where they are not what the host made. */
async function* digested(
  bytes: AsyncIterable<Uint8Array>,
  made: MadeBundle,
  { path, onProgress }: { readonly path: string; readonly onProgress: (done: number) => void },
): AsyncGenerator<Uint8Array> {
  const sum = createHash('sha256')
  let done = 0
  for await (const piece of bytes) {
    sum.update(piece)
    yield piece
    done += piece.length
    onProgress(done)
  }
  if (`sha256:${sum.digest('hex')}` === made.digest) return
  const hint = 'Try again; look at what lies between here and the host if it stays so.'
  throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason: 'it is not what the host made', hint })
}
