import { randomFillSync } from 'node:crypto'
import { open, stat } from 'node:fs/promises'

const chunkBytes = 1_048_576
const runBytes = 16 * chunkBytes

/** From `start` to before `end`, bytes. */
export interface Run {
  readonly start: number
  readonly end: number
}

/** Writes a raw disk of which every other 16 MiB are a hole, and answers where its data is. */
export async function makeDiskImage(path: string, sizeBytes: number): Promise<readonly Run[]> {
  const runs: Run[] = []
  const chunk = Buffer.allocUnsafeSlow(chunkBytes)
  await using file = await open(path, 'w')
  for (let start = 0; start < sizeBytes; start += 2 * runBytes) {
    const end = Math.min(start + runBytes, sizeBytes)
    for (let at = start; at < end; at += chunkBytes) {
      randomFillSync(chunk)
      await file.write(chunk, 0, Math.min(chunkBytes, end - at), at)
    }
    runs.push({ start, end })
  }
  await file.truncate(sizeBytes)
  await file.sync()
  return runs
}

/** What a file takes on the disk. */
export async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512
}
