import { parentPort, workerData } from 'node:worker_threads'
import type { ScanLimits } from './scan-limits.ts'
import { scanTree, type ScannedFile } from './scan-tree.ts'

/* The body of the thread that {@link scanAside} starts: one package in, its findings out. */

const { files, limits } = workerData as { readonly files: readonly ScannedFile[]; readonly limits: ScanLimits }
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port has no origin
parentPort?.postMessage(scanTree(files, limits))
