import type { ResolveName } from './system-names.ts'
import type { ResolvedAddress } from './vetted-addresses.ts'

/** How much one plugin may look up. */
export interface LookupLimits {
  readonly lookups: number
  readonly connectMs: number
}

interface Lookup {
  readonly answer: PromiseWithResolvers<readonly ResolvedAddress[]>
  /** Who still waits for it. */
  readonly waiting: Set<AbortSignal>
}

/**
 * Looks names up for one plugin: a name that is being looked up is not asked for again, and only so many are at once;
 * others wait their turn. A place is free again only when its resolver has answered. Dispose it to give all of them up.
 */
export class Lookups implements Disposable {
  readonly #resolve: ResolveName
  readonly #limits: LookupLimits
  readonly #known = new Map<string, Lookup>()
  readonly #queue: string[] = []
  readonly #over = new AbortController()
  #running = 0

  constructor(resolve: ResolveName, limits: LookupLimits) {
    this.#resolve = resolve
    this.#limits = limits
  }

  /** Its addresses; whoever stops waiting says so by its signal. Errors: the resolver's, and `ETIMEDOUT`. */
  ask(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const known = this.#known.get(host)
    const lookup: Lookup = known ?? { answer: Promise.withResolvers(), waiting: new Set() }
    lookup.waiting.add(signal)
    signal.addEventListener('abort', () => lookup.waiting.delete(signal), { once: true })
    if (known === undefined) {
      this.#known.set(host, lookup)
      this.#queue.push(host)
      this.#next()
    }
    return lookup.answer.promise
  }

  [Symbol.dispose](): void {
    this.#over.abort(new DOMException('the plugin has ended', 'AbortError'))
  }

  #next(): void {
    while (this.#running < this.#limits.lookups) {
      const host = this.#queue.shift()
      if (host === undefined) return
      const lookup = this.#known.get(host)
      if (lookup === undefined) continue
      if (lookup.waiting.size === 0 || this.#over.signal.aborted) this.#known.delete(host)
      else void this.#run(host, lookup)
    }
  }

  async #run(host: string, { answer }: Lookup): Promise<void> {
    const { connectMs } = this.#limits
    const late = new AbortController()
    const message = `the addresses of ${host} did not come within ${connectMs} ms`
    const timer = setTimeout(() => late.abort(Object.assign(new Error(message), { code: 'ETIMEDOUT' })), connectMs)
    this.#running += 1
    try {
      answer.resolve(await this.#resolve(host, AbortSignal.any([late.signal, this.#over.signal])))
    } catch (error) {
      answer.reject(error)
      answer.promise.catch(() => undefined)
    } finally {
      clearTimeout(timer)
      this.#running -= 1
      this.#known.delete(host)
      this.#next()
    }
  }
}
