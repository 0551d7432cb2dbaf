import type { FileHandle } from 'node:fs/promises'
import { runProgram } from '@hypersdk/points/programs'
import type { Range } from './stream-image.ts'

const mapBytes = 16 * 1024 * 1024
const worthwhileBytes = 16 * 1024 * 1024

/**
 * The parts of a sparse file that hold data, as the file system knows them. Node cannot seek to holes, so qemu-img is
 * asked; undefined when it is not there, or when too little would be gained. The answer only saves reading: whoever
 * changes the file meanwhile is found out when the export ends.
 */
export async function dataRanges(handle: FileHandle, signal: AbortSignal): Promise<Range[] | undefined> {
  const { size, blocks } = await handle.stat()
  if (size - blocks * 512 < worthwhileBytes) return undefined
  const source = `json:${JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: '/dev/fd/3' } })}`
  const result = await runProgram('qemu-img', {
    args: ['map', '--output=json', source],
    descriptors: [handle.fd],
    signal,
    outputBytes: mapBytes,
  })
  return result.kind === 'done' ? ranges(result.output, size) : undefined
}

function ranges(output: string, sizeBytes: number): Range[] | undefined {
  const found: { start: number; end: number }[] = []
  let covered = 0
  for (const entry of JSON.parse(output) as { start: number; length: number; data: boolean; zero: boolean }[]) {
    if (entry.start !== covered) return undefined
    covered += entry.length
    if (entry.zero && !entry.data) continue
    const last = found.at(-1)
    if (last?.end === entry.start) last.end = covered
    else found.push({ start: entry.start, end: covered })
  }
  const end = found.at(-1)
  if (end !== undefined && end.end > sizeBytes) end.end = sizeBytes
  return covered < sizeBytes ? undefined : found
}
