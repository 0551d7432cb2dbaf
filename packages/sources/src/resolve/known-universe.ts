import { messageOf } from '../message-of.ts'
import type { Release, Universe } from './release.ts'

/** A universe that is asked everything at most once, and remembers which versions cannot be had and why. */
export class KnownUniverse {
  readonly #universe: Universe
  readonly #prefer: ReadonlyMap<string, string>
  readonly #versions = new Map<string, Promise<readonly string[]>>()
  readonly #releases = new Map<string, Promise<Release | undefined>>()
  readonly #providers = new Map<string, Promise<readonly string[]>>()
  readonly #broken = new Map<string, string>()

  constructor(universe: Universe, prefer: ReadonlyMap<string, string>) {
    this.#universe = universe
    this.#prefer = prefer
  }

  /** What is preferred, and only then, as it may cost a fetch, everything else there is. */
  async *candidates(id: string): AsyncGenerator<string> {
    const preferred = this.#prefer.get(id)
    if (preferred !== undefined) yield preferred
    for (const version of await this.versions(id)) if (version !== preferred) yield version
  }

  versions(id: string): Promise<readonly string[]> {
    return remember(this.#versions, id, () => this.#universe.versions(id))
  }

  /** Undefined for one that cannot be had; {@link problemOf} says why. */
  release(id: string, version: string): Promise<Release | undefined> {
    const key = `${id} ${version}`
    return remember(this.#releases, key, async () => {
      try {
        return await this.#universe.release(id, version)
      } catch (error) {
        this.#broken.set(key, messageOf(error))
        return undefined
      }
    })
  }

  problemOf(id: string, version: string): string | undefined {
    return this.#broken.get(`${id} ${version}`)
  }

  providers(capability: string): Promise<readonly string[]> {
    return remember(this.#providers, capability, () => this.#universe.providers(capability))
  }
}

function remember<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const answer = known.get(key) ?? ask()
  known.set(key, answer)
  return answer
}
