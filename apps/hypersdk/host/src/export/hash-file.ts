import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

const readBytes = 1_048_576

/**
 * SHA-256 of a file as 64 hexadecimal digits; undefined when it is not there or not `bytes` long.
 * Errors: `AbortError` by the signal; what the file system says while it is read.
 */
export async function hashFile(path: string, bytes: number, signal?: AbortSignal): Promise<string | undefined> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return undefined
  await using _closed = file
  if ((await file.stat()).size !== bytes) return undefined
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  for (;;) {
    signal?.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, readBytes)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}
