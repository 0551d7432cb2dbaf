import { createHash } from 'node:crypto'
import { createKernel, type Runtime } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { tape } from './points.ts'

/** What plugins import by name comes from the host. */
export const modules = {
  '@backplane/sdk': import.meta.resolve('@backplane/sdk'),
  '@example/tape': import.meta.resolve('./points.ts'),
}

/** What reading came to. */
export interface Reading {
  readonly bytes: number
  readonly sha256: string
  /** Of the last piece, as the plugin computed it from bytes that went back to it. */
  readonly lastPiece: string
  /** Pieces the plugin had made when the host left a tape of a million after three. */
  readonly madeForThree: number
  readonly progress: number
}

/** Reads a tape to its end, and another one only a little. */
export async function readTapes(runtime: Runtime, store: string): Promise<Reading> {
  await using kernel = await createKernel({
    host: { name: 'tapes', api: '1.0.0' },
    points: [tape],
    sources: [directory(`${import.meta.dirname}/plugin`, { store, watch: false })],
    runtimes: [runtime],
    // The plugin is this program's own; what others bring is sandboxed unless this says otherwise.
    policy: { tier: () => runtime.tier, isolation: () => ({ floor: 'process', trust: 'first-party' }) },
  })
  const pattern = kernel.provider(tape, 'pattern')
  const hash = createHash('sha256')
  let bytes = 0
  let progress = 0
  let last = new Uint8Array()
  const onProgress = (report: { readonly done: number }): void => void (progress = report.done)
  for await (const piece of pattern.read({ pieces: 64, pieceBytes: 65_536 }, { onProgress })) {
    hash.update(piece.bytes)
    bytes += piece.bytes.length
    last = piece.bytes
  }
  const lastPiece = await pattern.checksum(last)
  const before = await pattern.piecesMade(null)
  let read = 0
  for await (const _piece of pattern.read({ pieces: 1_000_000, pieceBytes: 4_096 })) if (++read === 3) break
  const madeForThree = (await pattern.piecesMade(null)) - before
  return { bytes, sha256: hash.digest('hex'), lastPiece, madeForThree, progress }
}

if (import.meta.main) {
  await using runtime = confined({ modules })
  console.log(await readTapes(runtime, '.backplane/packages'))
}
