import { profileFailed } from './profile-failed.ts'

/** Most a profile may hold, bytes: a heap snapshot is one to two times the heap. */
const profileBytes = 2 * 1024 ** 3

/** Passes on what a guest says is a profile, as long as it is bytes and no more than `limitBytes`. */
export async function* boundedProfile(
  plugin: string,
  items: AsyncIterable<unknown>,
  limitBytes: number = profileBytes,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const item of items) {
    if (!(item instanceof Uint8Array)) throw profileFailed(plugin, `it answered with ${typeof item} instead of bytes`)
    bytes += item.length
    if (bytes > limitBytes) throw profileFailed(plugin, `it answered with more than ${limitBytes} bytes`)
    yield item
  }
}
