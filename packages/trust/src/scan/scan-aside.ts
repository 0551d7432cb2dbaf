import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Finding } from '../subject.ts'
import { inTurn } from './in-turn.ts'
import { defaultScanLimits, type ScanLimits } from './scan-limits.ts'
import type { ScannedFile } from './scan-tree.ts'

/** How much of a package is looked at, and what looking may cost. */
export interface AsideLimits extends ScanLimits {
  /** Until the thread is ended, ms: beyond {@link ScanLimits.timeMs}, which only holds between files. Default 60 s. */
  readonly endMs: number
  /** Heap of the thread, MiB. Default 512. */
  readonly memoryMiB: number
}

/** The defaults that {@link AsideLimits} names. */
export const defaultAsideLimits: AsideLimits = { ...defaultScanLimits, endMs: 60_000, memoryMiB: 512 }

/** Beside this module: source beside source, built beside built. */
const body = new URL(`./scan-worker${extname(import.meta.url)}`, import.meta.url)

/**
 * `scanTree` in a thread of its own, one package after another, so that a package made to be slow holds up nobody but those who
 * wait for its findings. One that takes too long, or too much memory, is a finding and no silence. Rejects only with the
 * signal's reason.
 */
export function scanAside(
  limits: Partial<AsideLimits> = {},
): (files: readonly ScannedFile[], signal: AbortSignal) => Promise<readonly Finding[]> {
  const all = { ...defaultAsideLimits, ...limits }
  const queue = inTurn()
  return (files, signal) => queue(() => scanInThread(files, all, signal), signal)
}

async function scanInThread(
  files: readonly ScannedFile[],
  { endMs, memoryMiB, ...limits }: AsideLimits,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  // copied, so that no more goes over than is looked at; views may be of larger buffers
  const copies = files.map(({ path, bytes }) => ({ path, bytes: new Uint8Array(bytes) }))
  const worker = new Worker(body, {
    workerData: { files: copies, limits },
    transferList: copies.map(({ bytes }) => bytes.buffer),
    resourceLimits: { maxOldGenerationSizeMb: memoryMiB },
    env: {},
    stderr: true,
    stdout: true,
  })
  const ended = Promise.withResolvers<readonly Finding[]>()
  const stopped = (why: string): void => ended.resolve([notScanned(files[0]?.path ?? 'plugin.json', why)])
  const aborted = (): void => ended.reject(signal.reason)
  const timer = setTimeout(() => stopped(`looking took longer than ${endMs} ms`), endMs)
  signal.addEventListener('abort', aborted, { once: true })
  worker.once('message', (findings: readonly Finding[]) => ended.resolve(findings))
  worker.once('error', (error: unknown) => stopped(error instanceof Error ? error.message : String(error)))
  worker.once('exit', () => stopped('looking ended before it was over'))
  try {
    return await ended.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
    await worker.terminate()
  }
}

function notScanned(file: string, why: string): Finding {
  return { rule: 'static/not-scanned', severity: 'danger', file, message: `the package was not looked into: ${why}` }
}
