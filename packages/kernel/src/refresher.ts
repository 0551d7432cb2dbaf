import type { Catalogue } from './catalogue.ts'
import type { Core } from './core.ts'
import type { RefreshReport } from './kernel.ts'

/** Several hints at once are one refresh, ms. */
const debounceMs = 50

/** Refreshes one at a time; asked for while one runs, one more follows for all who asked. */
export class Refresher implements AsyncDisposable {
  readonly #core: Core
  readonly #catalogue: Catalogue
  #running: Promise<RefreshReport> | undefined
  #following: Promise<RefreshReport> | undefined
  #hint: Disposable | undefined
  #rescan: Disposable | undefined
  #watches: readonly AsyncDisposable[] = []

  constructor(core: Core, catalogue: Catalogue) {
    this.#core = core
    this.#catalogue = catalogue
  }

  refresh(): Promise<RefreshReport> {
    if (this.#running === undefined) return this.#run()
    this.#following ??= this.#running.then(
      () => this.#follow(),
      () => this.#follow(),
    )
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
  }

  #follow(): Promise<RefreshReport> {
    this.#following = undefined
    return this.#run()
  }

  #run(): Promise<RefreshReport> {
    const running = this.#catalogue.refresh(this.#core.stopping).finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
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
    if (this.#core.stopping.aborted) return
    this.refresh().catch((error: unknown) => {
      if (!this.#core.stopping.aborted) this.#core.log.write({ level: 'error', message: `refresh failed: ${String(error)}` })
    })
  }
}
