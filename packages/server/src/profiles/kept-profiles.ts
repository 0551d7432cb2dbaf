import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** How much is kept. */
export interface KeptLimits {
  readonly files: number
  /** While one is written, that one may be more. */
  readonly totalBytes: number
  /** The largest one. */
  readonly fileBytes: number
}

interface Kept {
  readonly name: string
  readonly bytes: number
  readonly atMs: number
}

/** What a profile's name ends with: when it was taken, and why. */
const ending = /-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z-(?:stall|cpu)\.cpuprofile$/

/** The part of a profile's name that is its plugin's. */
export function profileOwner(name: string): string {
  return name.replace(ending, '')
}

/**
 * A directory of profiles. New ones take the room of those whose plugin has most, the oldest of them first, so that a
 * plugin which is often profiled pushes out its own. One is added after the other, by one host.
 */
export class KeptProfiles {
  readonly #directory: string
  readonly #limits: KeptLimits

  constructor(directory: string, limits: KeptLimits) {
    this.#directory = directory
    this.#limits = limits
  }

  /** Writes one, under its name only once it is whole; answers its path. Rejects for one that is too large. */
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
    await this.#makeRoom(name)
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
    const mostBytes = Math.min(this.#limits.fileBytes, this.#limits.totalBytes)
    let bytes = 0
    for await (const piece of pieces) {
      bytes += piece.length
      if (bytes > mostBytes) throw new RangeError(`the profile is larger than ${mostBytes} bytes`)
      yield piece
    }
  }

  async #makeRoom(added: string): Promise<void> {
    const { files, totalBytes } = this.#limits
    let kept = await this.#list()
    for (;;) {
      const measure = kept.length > files ? (): number => 1 : ({ bytes }: Kept): number => bytes
      if (kept.length <= files && sum(kept, measure) <= totalBytes) return
      const first = oldestOfMost(kept, measure, added)
      if (first === undefined) return
      kept = kept.filter((one) => one !== first)
      await rm(join(this.#directory, first.name), { force: true })
    }
  }

  async #list(): Promise<readonly Kept[]> {
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

type Measure = (one: Kept) => number

function sum(kept: readonly Kept[], measure: Measure): number {
  return kept.reduce((whole, one) => whole + measure(one), 0)
}

/** Of the plugin that has most, the oldest; of two that have as much, that which has the oldest. Not what was just added. */
function oldestOfMost(kept: readonly Kept[], measure: Measure, added: string): Kept | undefined {
  const owners = Map.groupBy(kept, ({ name }) => profileOwner(name))
  const mostFirst = [...owners.values()].toSorted((one, other) => sum(other, measure) - sum(one, measure))
  return mostFirst.flat().find(({ name }) => name !== added)
}
