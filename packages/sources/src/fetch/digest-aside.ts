/** A digest of bytes, computed beside the event loop. */
export async function digestAside(algorithm: 'SHA-256' | 'SHA-512', bytes: Uint8Array): Promise<Buffer> {
  return Buffer.from(await crypto.subtle.digest(algorithm, bytes as Uint8Array<ArrayBuffer>))
}
