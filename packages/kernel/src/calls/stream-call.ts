import { ActiveCall, type CallRequest, type CallSubject } from './active-call.ts'
import type { CallEnds } from './dispatcher.ts'
import type { Generation } from '../plugins/generation.ts'

type Step = IteratorResult<unknown, undefined>

const over: Step = { done: true, value: undefined }

/** A call that answers many: one call from its first item to its end, each item checked as it comes. */
export class StreamCall extends ActiveCall {
  readonly #ends: CallEnds
  readonly #started: PromiseWithResolvers<void> = Promise.withResolvers()
  #iterator: AsyncIterator<unknown> | undefined
  #error: Error | undefined
  #pending: { readonly resolve: (step: Step) => void; readonly reject: (error: Error) => void } | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(subject: CallSubject, request: CallRequest, ends: CallEnds) {
    super(subject, request, ends.inFlight)
    this.#ends = ends
  }

  override run(generation: Generation): void {
    this.isAtPlugin = true
    try {
      this.#iterator = generation.instance.stream(this.target, this.input, this)[Symbol.asyncIterator]()
      this.#started.resolve()
    } catch (error) {
      this.#ends.failed(this, error)
    }
  }

  /** The next item; asked for again before it came, the answers keep their order. */
  pull(): Promise<Step> {
    return this.#inTurn(() => this.#step((iterator) => iterator.next()))
  }

  /** The consumer has enough: the plugin's generator runs its cleanup, for so long at most. */
  async stop(limitMs: number): Promise<Step> {
    if (this.#iterator === undefined || this.#pending !== undefined) this.#leave()
    using _timer = this.#ends.inFlight.clock.after(limitMs, () => this.#leave())
    await this.#inTurn(() => this.#step(async (iterator) => (await iterator.return?.()) ?? over)).catch(() => undefined)
    this.#end()
    return over
  }

  /** Left before the first item or while one was awaited: nobody is there for an answer, so the plugin is told to end. */
  #leave(): void {
    this.cancelSignal(new DOMException('the consumer has left', 'AbortError'))
    this.#end()
    this.#close()
  }

  #inTurn(work: () => Promise<Step>): Promise<Step> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  #step(ask: (iterator: AsyncIterator<unknown>) => Promise<IteratorResult<unknown>>): Promise<Step> {
    if (this.settled) return this.#last()
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#started.promise
        .then(() => (this.#iterator === undefined || this.settled ? over : ask(this.#iterator)))
        .then(
          (step) => this.#arrived(step),
          (error: unknown) => this.#ends.failed(this, error),
        )
    })
  }

  #arrived(step: IteratorResult<unknown>): void {
    if (this.settled) return
    if (step.done === true) {
      this.#end()
      return
    }
    const accepted = this.accept(step.value)
    if (accepted !== undefined) this.#answer({ done: false, value: accepted.value })
  }

  #end(): void {
    if (this.succeed()) this.#answer(over)
  }

  #answer(step: Step): void {
    const pending = this.#pending
    this.#pending = undefined
    pending?.resolve(step)
  }

  /** An error is told once; after it the stream is over. */
  #last(): Promise<Step> {
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve(over) : Promise.reject(error)
  }

  protected override refuse(error: Error): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending === undefined) this.#error = error
    else pending.reject(error)
    this.#close()
  }

  #close(): void {
    this.#started.resolve()
    const left = (): void => void (this.isAtPlugin = false)
    Promise.resolve(this.#iterator?.return?.()).then(left, left)
  }
}
