/** Granularity of holes, bytes: what file systems and image formats allocate at most in one piece. */
export const holeBytes = 65_536

const zeros = Buffer.alloc(holeBytes)

/** Whether all bytes are zero. Data is told from zeros by its first bytes, so only zeros are read to the end. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += holeBytes) {
    const length = Math.min(holeBytes, bytes.length - at)
    if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false
  }
  return true
}

/**
 * The parts of a block that have to be written: runs of `holeBytes` pieces that are not all zero.
 * @param block begins at a multiple of `holeBytes` in its file
 */
export function* dataRuns(block: Buffer): Generator<{ readonly start: number; readonly end: number }> {
  let start = -1
  for (let at = 0; at < block.length; at += holeBytes) {
    const zero = isZero(block.subarray(at, at + holeBytes))
    if (!zero && start < 0) start = at
    if (zero && start >= 0) {
      yield { start, end: at }
      start = -1
    }
  }
  if (start >= 0) yield { start, end: block.length }
}
