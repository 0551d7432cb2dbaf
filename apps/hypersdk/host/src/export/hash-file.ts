import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

const readBytes = 1_048_576
/** How often a long reading says how far it is, ms. */
const sayEveryMs = 250

/**
 * SHA-256 of a file as 64 hexadecimal digits; undefined when it is not there or not `bytes` long.
 * Errors: `AbortError` by the signal; what the file system says while it is read.
 */
export async function hashFile(path: string, bytes: number, signal?: AbortSignal): Promise<string | undefined> {
  const steps = hashSteps(path, bytes, signal)
  for (;;) {
    const { done, value } = await steps.next()
    if (done === true) return value
  }
}

/** The same in steps: yields the bytes read so far, a few times a second, and returns the digest. */
export async function* hashSteps(
  path: string,
  bytes: number,
  signal?: AbortSignal,
): AsyncGenerator<number, string | undefined, undefined> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return undefined
  await using _closed = file
  if ((await file.stat()).size !== bytes) return undefined
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  let saidAtMs = performance.now()
  for (let done = 0; ;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, readBytes)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
    done += bytesRead
    if (performance.now() - saidAtMs < sayEveryMs) continue
    saidAtMs = performance.now()
    yield done
  }
}
