import { createHash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

/** What is asked of the hashing thread; it answers each in order, with the digest or with null. */
export type HashRequest =
  | { readonly kind: 'block'; readonly offset: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }
  | { readonly kind: 'digest' }
  /** Of what there is so far; more may follow. */
  | { readonly kind: 'prefix' }

const memory = workerData as SharedArrayBuffer
const zeros = new Uint8Array(262_144)
let hash = createHash('sha256')

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.on('message', (request: HashRequest) => parentPort?.postMessage(answer(request)))

function answer(request: HashRequest): string | null {
  switch (request.kind) {
    case 'block':
      hash.update(new Uint8Array(memory, request.offset, request.length))
      return null
    case 'zeros':
      hashZeros(request.length)
      return null
    case 'digest':
      return takeDigest()
    case 'prefix':
      return hash.copy().digest('hex')
  }
}

function hashZeros(length: number): void {
  for (let left = length; left > 0; left -= zeros.length) hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
}

function takeDigest(): string {
  const digest = hash.digest('hex')
  hash = createHash('sha256')
  return digest
}
