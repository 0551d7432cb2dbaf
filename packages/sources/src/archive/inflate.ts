import { createInflateRaw } from 'node:zlib'
import { refuse, type Culprit } from './refuse.ts'

/** Largest piece that is handled at once: half a millisecond of hashing. */
export const sliceBytes: number = 64 * 1024

/**
 * The bytes of one raw deflate stream, in slices, inflated by the thread pool as they are asked for; what follows the
 * stream is left alone. Answers how many bytes the stream has. Errors: `ARCHIVE_TRUNCATED`, `ARCHIVE_CORRUPT`.
 */
export async function* inflate(compressed: Uint8Array, entry: Culprit, signal: AbortSignal): AsyncGenerator<Uint8Array, number> {
  const engine = createInflateRaw({ chunkSize: sliceBytes })
  engine.end(compressed)
  try {
    for await (const slice of engine) {
      signal.throwIfAborted()
      yield slice as Uint8Array
    }
  } catch (error) {
    throw refusalOf(error, entry) ?? error
  } finally {
    engine.destroy()
  }
  return engine.bytesWritten
}

function refusalOf(error: unknown, entry: Culprit): Error | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'Z_BUF_ERROR') return refuse('ARCHIVE_TRUNCATED', entry, {}, error)
  if (typeof code !== 'string' || !code.startsWith('Z_')) return undefined
  return refuse('ARCHIVE_CORRUPT', entry, { problem: 'it cannot be inflated' }, error)
}
