import type { FileHandle } from 'node:fs/promises'

/** Bytes of a file, or a run of zeros in it. */
export type ImagePiece =
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'hole'; readonly offset: number; readonly length: number }

/** From `start` to before `end`, bytes. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** One read, and the most that one `bytes` piece holds. */
export const chunkBytes: number = 1024 * 1024
/** Zeros are looked for in blocks of this size. */
const blockBytes = 64 * 1024
const zeros = Buffer.alloc(chunkBytes)

/**
 * Reads a file as pieces in order of their offsets and without gaps. Blocks of zeros become holes, neighbouring holes
 * one hole. What is outside `data` is not read but taken for zeros. One read is always ahead. The bytes are the
 * receiver's, each piece in a buffer of its own. Begins at `from`.
 */
export async function* streamImage(
  handle: FileHandle,
  sizeBytes: number,
  data: readonly Range[] = [{ start: 0, end: sizeBytes }],
  from = 0,
): AsyncGenerator<ImagePiece> {
  let told = from
  const wanted = data.filter(({ end }) => end > from).map(({ start, end }) => ({ start: Math.max(start, from), end }))
  for await (const { offset, chunk } of readAhead(handle, wanted)) {
    for (const run of dataRuns(chunk)) {
      const at = offset + run.start
      if (told < at) yield { kind: 'hole', offset: told, length: at - told }
      const whole = run.start === 0 && run.end === chunkBytes
      yield { kind: 'bytes', offset: at, bytes: whole ? chunk : chunk.slice(run.start, run.end) }
      told = offset + run.end
    }
  }
  if (told < sizeBytes) yield { kind: 'hole', offset: told, length: sizeBytes - told }
}

interface Chunk {
  readonly offset: number
  readonly chunk: Uint8Array<ArrayBuffer>
}

async function* readAhead(handle: FileHandle, data: readonly Range[]): AsyncGenerator<Chunk> {
  let ahead: Promise<Chunk> | undefined
  try {
    for (const { start, end } of data) {
      for (let offset = start; offset < end; offset += chunkBytes) {
        const current = ahead
        ahead = read(handle, offset, Math.min(chunkBytes, end - offset))
        // Awaited in the next round; until then its failure must not count as unhandled.
        ahead.catch(() => undefined)
        if (current !== undefined) yield await current
      }
    }
    if (ahead !== undefined) yield await ahead
  } finally {
    await ahead?.catch(() => undefined)
  }
}

async function read(handle: FileHandle, offset: number, length: number): Promise<Chunk> {
  const buffer = new Uint8Array(length)
  const { bytesRead } = await handle.read(buffer, 0, length, offset)
  return { offset, chunk: buffer.subarray(0, bytesRead) }
}

/** The parts of a chunk that are not zero, in whole blocks. Comparing ends at the first byte that differs. */
function dataRuns(chunk: Uint8Array): Range[] {
  if (isZero(chunk, 0, chunk.length)) return []
  const runs: { start: number; end: number }[] = []
  for (let start = 0; start < chunk.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, chunk.length)
    if (isZero(chunk, start, end)) continue
    const last = runs.at(-1)
    if (last?.end === start) last.end = end
    else runs.push({ start, end })
  }
  return runs
}

function isZero(chunk: Uint8Array, start: number, end: number): boolean {
  return zeros.compare(chunk, start, end, 0, end - start) === 0
}
