import { exportErrors } from './errors.ts'

/** Options of {@link ExportWatch}. */
export interface ExportWatchOptions {
  /** The caller's; its reason is what the export rejects with. */
  readonly caller: AbortSignal
  /** Aborted when the plugin can no longer be used. */
  readonly plugin: AbortSignal
  /** Longest without a sign of life from the plugin, ms. */
  readonly stallMs: number
  /** How long a stream may take to end after it was told to, ms. */
  readonly endMs: number
}

/** Ends one attempt: by its caller, by the plugin's end, or because nothing comes any more. */
export class ExportWatch implements Disposable {
  readonly #controller = new AbortController()
  readonly #options: ExportWatchOptions
  #timer: NodeJS.Timeout | undefined

  constructor(options: ExportWatchOptions) {
    this.#options = options
    for (const [signal, listener] of this.#listeners) {
      if (signal.aborted) listener()
      signal.addEventListener('abort', listener)
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** A sign of life that is not an item. */
  alive(): void {
    this.#timer?.refresh()
  }

  /**
   * The items of a plugin's stream until it ends or the attempt does, even when the plugin does not react. Errors: the
   * stream's own, the reason of the abort, `EXPORT_STALLED`, `EXPORT_PLUGIN_LOST`.
   */
  async *items<T>(stream: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const iterator = stream[Symbol.asyncIterator]()
    let ended = false
    try {
      for (;;) {
        const next = await this.#next(iterator)
        ended = next.done === true
        if (next.done === true) return
        yield next.value
      }
    } finally {
      if (!ended) await settledWithin(iterator.return?.(), this.#options.endMs)
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const [signal, listener] of this.#listeners) signal.removeEventListener('abort', listener)
  }

  readonly #onCaller = (): void => this.abort(this.#options.caller.reason)

  readonly #onPlugin = (): void => {
    const cause: unknown = this.#options.plugin.reason
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.abort(exportErrors.error('EXPORT_PLUGIN_LOST', { reason }, { cause }))
  }

  get #listeners(): readonly (readonly [AbortSignal, () => void])[] {
    return [[this.#options.caller, this.#onCaller], [this.#options.plugin, this.#onPlugin]] // prettier-ignore
  }

  #next<T>(iterator: AsyncIterator<T>): Promise<IteratorResult<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>()
    const { signal } = this
    const aborted = (): void => reject(signal.reason)
    signal.addEventListener('abort', aborted)
    const seconds = this.#options.stallMs / 1000
    this.#timer = setTimeout(() => this.abort(exportErrors.error('EXPORT_STALLED', { seconds })), this.#options.stallMs)
    if (signal.aborted) aborted()
    else iterator.next().then(resolve, reject)
    return promise.finally(() => {
      clearTimeout(this.#timer)
      signal.removeEventListener('abort', aborted)
    })
  }
}

/** Whether a promise fulfilled in time; a rejection counts as not. */
export async function settledWithin(work: Promise<unknown> | undefined, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const done = Promise.resolve(work).then(() => true, () => false) // prettier-ignore
  return Promise.race([done, late]).finally(() => clearTimeout(timer))
}
