import { parentPort, workerData } from 'node:worker_threads'
import { readYamlHere } from './read-yaml.ts'
import type { YamlLimits } from './yaml-tree.ts'

/** What this thread is given to read; it answers with the reading and has nothing more to do. */
export interface YamlRequest {
  readonly text: string
  readonly file: string
  readonly limits: Partial<YamlLimits>
}

const { text, file, limits } = workerData as YamlRequest

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(readYamlHere(text, file, limits))
