import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** How much is kept. */
export interface KeptLimits {
  readonly files: number
  readonly totalBytes: number
}

/** A directory of profiles, the oldest of which make room for new ones. One is added after the other, by one host. */
export class KeptProfiles {
  readonly #directory: string
  readonly #limits: KeptLimits

  constructor(directory: string, limits: KeptLimits) {
    this.#directory = directory
    this.#limits = limits
  }

  /** Writes one, under its name only once it is whole; answers its path. Rejects for one that is larger than all may be. */
  async add(name: string, pieces: AsyncIterable<Uint8Array>): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await this.#forgetHalves()
    const path = join(this.#directory, name)
    const partial = `${path}.part`
    try {
      await pipeline(Readable.from(this.#bounded(pieces), { objectMode: false }), createWriteStream(partial, { mode: 0o600 }))
      await rename(partial, path)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
    await this.#makeRoom()
    return path
  }

  /** Their names, oldest first. */
  async names(): Promise<readonly string[]> {
    return (await this.#list()).map(({ name }) => name)
  }

  /** What a host that was killed had begun. */
  async #forgetHalves(): Promise<void> {
    const halves = (await readdir(this.#directory)).filter((name) => name.endsWith('.part'))
    await Promise.all(halves.map((name) => rm(join(this.#directory, name), { force: true })))
  }

  async *#bounded(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0
    for await (const piece of pieces) {
      bytes += piece.length
      if (bytes > this.#limits.totalBytes) throw new RangeError(`the profile is larger than ${this.#limits.totalBytes} bytes`)
      yield piece
    }
  }

  async #makeRoom(): Promise<void> {
    const kept = [...(await this.#list())]
    let bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
    while (kept.length > this.#limits.files || bytes > this.#limits.totalBytes) {
      const oldest = kept.shift()
      if (oldest === undefined) return
      bytes -= oldest.bytes
      await rm(join(this.#directory, oldest.name), { force: true })
    }
  }

  async #list(): Promise<readonly { readonly name: string; readonly bytes: number; readonly atMs: number }[]> {
    const names = (await readdir(this.#directory).catch(() => [])).filter((name) => name.endsWith('.cpuprofile'))
    const found = await Promise.all(
      names.map(async (name) => {
        const { size, mtimeMs } = await stat(join(this.#directory, name))
        return { name, bytes: size, atMs: mtimeMs }
      }),
    )
    return found.toSorted((one, other) => one.atMs - other.atMs || (one.name < other.name ? -1 : 1))
  }
}
