import type { Catalogue, Refresh } from './catalogue.ts'
import type { Core } from '../core.ts'
import type { RefreshReport } from '../kernel.ts'
import { messageOf } from '../calls/thrown.ts'

/** Several hints at once are one refresh, ms. */
const debounceMs = 50

type Pass = Promise<Refresh>

/**
 * Lists the sources one listing at a time; whoever asks while one runs gets the next, because what they have in mind may
 * be missing from this one. What follows from a listing (starts, updates) does not hold the next one up.
 */
export class Refresher implements AsyncDisposable {
  readonly #core: Core
  readonly #catalogue: Catalogue
  #running: Pass | undefined
  #following: Pass | undefined
  readonly #unfinished = new Set<Promise<unknown>>()
  #hint: Disposable | undefined
  #rescan: Disposable | undefined
  #watches: readonly AsyncDisposable[] = []

  constructor(core: Core, catalogue: Catalogue) {
    this.#core = core
    this.#catalogue = catalogue
  }

  /** Lists, applies, and waits until everything that follows is over. */
  async refresh(): Promise<RefreshReport> {
    const { done } = await this.relist()
    return done
  }

  /** Lists and applies; does not wait for what follows. */
  relist(): Pass {
    if (this.#running === undefined) return this.#run()
    const follow = (): Pass => {
      this.#following = undefined
      return this.#run()
    }
    this.#following ??= this.#running.then(follow, follow)
    return this.#following
  }

  /** Listens to the sources' hints, and lists without one from time to time. */
  watch(): void {
    const { sources } = this.#core.options
    this.#watches = sources.flatMap((source) => source.watch?.(() => this.#hinted()) ?? [])
    this.#scheduleRescan()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hint?.[Symbol.dispose]()
    this.#rescan?.[Symbol.dispose]()
    await Promise.allSettled(this.#watches.map((watch) => watch[Symbol.asyncDispose]()))
    await Promise.allSettled([this.#running, this.#following])
    await Promise.allSettled(this.#unfinished)
  }

  #run(): Pass {
    const pass = this.#catalogue.refresh(this.#core.stopping)
    this.#running = pass
    void this.#follow(pass)
    return pass
  }

  async #follow(pass: Pass): Promise<void> {
    let done: Promise<unknown> | undefined
    try {
      const refresh = await pass
      done = Promise.all([refresh.done, refresh.remembered])
      this.#unfinished.add(done)
    } catch {
      // whoever asked for the refresh is told
    } finally {
      if (this.#running === pass) this.#running = undefined
    }
    await done
    if (done !== undefined) this.#unfinished.delete(done)
  }

  #hinted(): void {
    this.#hint ??= this.#core.clock.after(debounceMs, () => {
      this.#hint = undefined
      this.#quietly()
    })
  }

  #scheduleRescan(): void {
    const { rescanMs } = this.#core.times
    if (rescanMs <= 0) return
    this.#rescan = this.#core.clock.after(rescanMs, () => {
      this.#quietly()
      this.#scheduleRescan()
    })
  }

  #quietly(): void {
    const { stopping, log } = this.#core
    if (stopping.aborted) return
    this.relist().catch((error: unknown) => {
      if (!stopping.aborted) log.write({ level: 'error', message: `the sources could not be listed: ${messageOf(error)}` })
    })
  }
}
