import { createInflateRaw } from 'node:zlib'
import { refuse, type Culprit } from './refuse.ts'

/** Largest piece that is handled at once: half a millisecond of hashing. */
export const sliceBytes: number = 64 * 1024

/** zlib takes no smaller ones. */
const smallestChunkBytes = 64

/** What is inflated, and for whom. */
export interface InflateOptions {
  readonly culprit: Culprit
  readonly signal: AbortSignal
  /** What is expected to come out, bytes; many small files would otherwise take a large buffer each. Default: a lot. */
  readonly sizeBytes?: number
}

/**
 * The bytes of one raw deflate stream, in slices, inflated by the thread pool as they are asked for; what follows the
 * stream is left alone. Answers how many bytes the stream has. Errors: `ARCHIVE_TRUNCATED`, `ARCHIVE_CORRUPT`.
 */
export async function* inflate(compressed: Uint8Array, options: InflateOptions): AsyncGenerator<Uint8Array, number> {
  const { culprit, signal, sizeBytes = sliceBytes } = options
  const chunkSize = Math.min(sliceBytes, Math.max(smallestChunkBytes, sizeBytes + 1))
  const engine = createInflateRaw({ chunkSize })
  engine.end(compressed)
  try {
    for await (const slice of engine) {
      signal.throwIfAborted()
      yield slice as Uint8Array
    }
  } catch (error) {
    throw refusalOf(error, culprit) ?? error
  } finally {
    engine.destroy()
  }
  return engine.bytesWritten
}

function refusalOf(error: unknown, culprit: Culprit): Error | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'Z_BUF_ERROR') return refuse('ARCHIVE_TRUNCATED', culprit, {}, error)
  if (typeof code !== 'string' || !code.startsWith('Z_')) return undefined
  return refuse('ARCHIVE_CORRUPT', culprit, { problem: 'it cannot be inflated' }, error)
}
