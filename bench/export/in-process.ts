import { open } from 'node:fs/promises'
import type { OpenedClient } from '@backplane/sdk'
import { ExportOptions, VmInfo, type ExportItem, type provider } from '@hypersdk/points'
import type { ExportInput } from '../../apps/hypersdk/host/src/export/export-input.ts'
import type { Run } from './disk-image.ts'

const chunkBytes = 1_048_576
const disk = 'a'

/** A provider in this process that reads a raw file, one chunk ahead, and knows where its holes are. */
export function inProcessClient(path: string, sizeBytes: number, runs: readonly Run[]): OpenedClient<typeof provider> {
  const unused = (): never => {
    throw new Error('not part of an export')
  }
  return {
    validateCredentials: unused,
    listVms: unused,
    getVm: unused,
    searchVms: unused,
    cleanupExport: unused,
    listSnapshots: unused,
    createSnapshot: unused,
    deleteSnapshot: unused,
    has: () => false,
    exportVm: () => readDisk(path, sizeBytes, runs),
    [Symbol.asyncDispose]: async () => {},
  }
}

async function* readDisk(path: string, sizeBytes: number, runs: readonly Run[]): AsyncGenerator<ExportItem> {
  yield { kind: 'disk', disk, format: 'raw', size_bytes: sizeBytes }
  await using file = await open(path)
  const read = async (offset: number, length: number): Promise<ExportItem> => {
    const bytes = new Uint8Array(length)
    await file.read(bytes, 0, length, offset)
    return { kind: 'bytes', disk, offset, bytes }
  }
  let told = 0
  for (const { start, end } of runs) {
    if (told < start) yield { kind: 'hole', disk, offset: told, length: start - told }
    let ahead = read(start, Math.min(chunkBytes, end - start))
    for (let at = start; at < end; at += chunkBytes) {
      const next = at + chunkBytes
      const current = await ahead
      if (next < end) ahead = read(next, Math.min(chunkBytes, end - next))
      yield current
    }
    told = end
  }
  if (told < sizeBytes) yield { kind: 'hole', disk, offset: told, length: sizeBytes - told }
}

/** What one export of the bench needs, for a client of any tier. */
export function benchInput(
  client: OpenedClient<typeof provider>,
  lease: ExportInput['lease'],
  place: { readonly id: string; readonly outputDirectory: string; readonly exportId: string; readonly compress?: boolean },
): ExportInput {
  return {
    exportId: place.exportId,
    vm: VmInfo.parse({ id: place.id, name: 'disk', provider: 'bench' }),
    options: ExportOptions.parse({ compress: place.compress ?? false, compression_level: 1 }),
    outputDirectory: place.outputDirectory,
    lease,
    client,
    signal: new AbortController().signal,
  }
}
