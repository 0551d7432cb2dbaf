import { parentPort, workerData } from 'node:worker_threads'
import { readYamlHere, type YamlRequest } from './read-yaml.ts'

const { text, file, limits } = workerData as YamlRequest

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(readYamlHere(text, file, limits))
