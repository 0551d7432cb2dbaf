import type { GuestBody } from '../session-link/guest-body.ts'

/** Bodies of one shape fit the same plugins. */
export interface Shape {
  readonly key: string
}

/** What a pool keeps. */
export interface SpareOptions<S extends Shape, B extends GuestBody> {
  /** Bodies kept for {@link usual}; also, how many other shapes get one. 0 keeps none. */
  readonly size: number
  /** The shape of a plugin without special needs; left out where every plugin has some. */
  readonly usual?: S
  readonly make: (shape: S) => Promise<B>
  /** How long after one was taken the next is made, ms: the plugin that took it goes first. Default 100. */
  readonly refillMs?: number
}

const refillDelayMs = 100
/** Spares of a shape that may die unused, one after the other, before no more are made. */
const mostFailures = 3

/**
 * Bodies made ahead, so that a start does not wait for one: some of the usual shape, and one of each shape asked for
 * last. Whatever is not taken ends with the pool.
 */
export class SpareBodies<S extends Shape, B extends GuestBody> implements AsyncDisposable {
  readonly #options: SpareOptions<S, B>
  readonly #spares = new Map<string, B[]>()
  /** Other shapes than the usual one, last asked for last. */
  readonly #asked = new Map<string, S>()
  readonly #failures = new Map<string, number>()
  readonly #ending = new Set<Promise<unknown>>()
  #making: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #disposed = false

  constructor(options: SpareOptions<S, B>) {
    this.#options = options
  }

  /** Makes what is missing now instead of after a delay. Settles when it is there. */
  fill(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#making ??= this.#fill().finally(() => (this.#making = undefined))
    return this.#making
  }

  /** A spare of that shape, if there is one; the taker owns it. Another one is made in a while. */
  take(shape: S): B | undefined {
    const { size, usual } = this.#options
    if (size === 0 || this.#disposed) return undefined
    if (shape.key !== usual?.key) {
      this.#asked.delete(shape.key)
      this.#asked.set(shape.key, shape)
      for (const key of [...this.#asked.keys()].slice(0, -size)) this.forget(key)
    }
    const spare = this.#spares.get(shape.key)?.shift()
    if (spare !== undefined) this.#failures.delete(shape.key)
    this.#fillLater()
    return spare
  }

  /** Ends the spares of a shape that nobody will ask for. */
  forget(key: string): void {
    this.#asked.delete(key)
    const spares = this.#spares.get(key) ?? []
    this.#spares.delete(key)
    for (const spare of spares) {
      const ended = spare.ended.finally(() => this.#ending.delete(ended))
      this.#ending.add(ended)
      spare.kill()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    clearTimeout(this.#timer)
    await this.#making
    for (const key of this.#spares.keys()) this.forget(key)
    await Promise.all(this.#ending)
  }

  #fillLater(): void {
    if (this.#disposed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => void this.fill(), this.#options.refillMs ?? refillDelayMs)
    this.#timer.unref()
  }

  /** One after the other: spares must not compete with what runs. */
  async #fill(): Promise<void> {
    for (let shape = this.#missing(); shape !== undefined && !this.#disposed; shape = this.#missing()) {
      const { key } = shape
      try {
        this.#keep(key, await this.#options.make(shape))
      } catch {
        // The start that needs such a body will say why it cannot be made.
        this.#failures.set(key, mostFailures)
      }
    }
  }

  #missing(): S | undefined {
    const { size, usual } = this.#options
    const wanted: (readonly [S, number])[] = [...this.#asked.values()].map((shape) => [shape, 1] as const)
    if (usual !== undefined) wanted.unshift([usual, size])
    return wanted.find(
      ([{ key }, count]) => (this.#spares.get(key)?.length ?? 0) < count && (this.#failures.get(key) ?? 0) < mostFailures,
    )?.[0]
  }

  #keep(key: string, spare: B): void {
    this.#spares.set(key, [...(this.#spares.get(key) ?? []), spare])
    void this.#replaceWhenEnded(key, spare)
  }

  async #replaceWhenEnded(key: string, spare: B): Promise<void> {
    await spare.ended
    const spares = this.#spares.get(key)
    const index = spares?.indexOf(spare) ?? -1
    if (index < 0) return
    spares?.splice(index, 1)
    this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1)
    this.#fillLater()
  }
}
