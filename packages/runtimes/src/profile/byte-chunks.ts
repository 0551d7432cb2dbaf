/** Small enough for one message under every limit of messages that lets a plugin work at all. */
const chunkBytes = 32 * 1024

/** Cuts bytes into pieces that each fit one message. They share the memory of what they were cut from. */
export async function* byteChunks(source: AsyncIterable<Uint8Array> | readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
}
