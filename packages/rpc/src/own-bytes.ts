type IsMarked = (buffer: ArrayBufferLike) => boolean

// Loaded at the first part: a process that has just been started should not wait two milliseconds for it.
let isMarked: IsMarked | undefined

function isMarkedAsUntransferable(buffer: ArrayBufferLike): boolean {
  isMarked ??= process.getBuiltinModule('node:worker_threads').isMarkedAsUntransferable as IsMarked
  return isMarked(buffer)
}

/** Large buffers that came over a socket: made here, and seen by nobody but who received them. */
const received = new WeakSet<ArrayBufferLike>()

/** Whether the part is all of a buffer that may change its owner. */
export function isWhole(part: Uint8Array): boolean {
  const { buffer } = part
  if (part.constructor !== Uint8Array || part.byteLength !== buffer.byteLength) return false
  return buffer instanceof ArrayBuffer && !buffer.resizable && !isMarkedAsUntransferable(buffer)
}

/** Takes the bytes over: whoever had them sees none any more. The same bytes where they cannot be taken. */
export function takeOver(part: Uint8Array): Uint8Array {
  if (!isWhole(part)) return part
  try {
    return new Uint8Array((part.buffer as ArrayBuffer).transfer())
  } catch {
    // Some buffers, such as the memory of a WebAssembly instance, cannot be transferred and do not say so before.
    return part
  }
}

/** Gives the memory of bytes that were taken over back at once. */
export function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0)
}

/** Remembers a buffer that {@link releaseBytes} may free. It holds one part only. */
export function markReceived(buffer: ArrayBufferLike): void {
  received.add(buffer)
}

/**
 * Gives the memory of bytes that arrived in a message back at once; they are empty afterwards. For whoever receives many
 * megabytes: without it they stay until the garbage collector looks, and then cost several times the copying. Does
 * nothing to bytes of any other origin, so that a plugin can never still be using what is freed.
 */
export function releaseBytes(bytes: Uint8Array): void {
  if (received.delete(bytes.buffer)) free(bytes)
}
