import { rpcErrors } from './errors.ts'
import { abortError } from './error-json.ts'
import { OutgoingRequest, type Asked, type OutgoingTable } from './outgoing-request.ts'

type Step = IteratorResult<unknown, undefined>
type End = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: Error }

interface Waiter {
  readonly resolve: (step: Step) => void
  readonly reject: (error: Error) => void
}

const done: Step = { done: true, value: undefined }

/**
 * The consumer's end of a stream. The producer may send as many items as it was given credit for; credit is renewed as
 * items are taken, so no more than `credit` items ever wait here.
 */
export class StreamReader extends OutgoingRequest implements AsyncIterableIterator<unknown, undefined> {
  override readonly kind = 'stream'
  readonly #asked: Asked
  readonly #credit: number
  #started = false
  #items: unknown[] = []
  #waiters: Waiter[] = []
  #end: End | undefined
  /** Items the producer may still send. */
  #outstanding: number
  #taken = 0

  constructor(table: OutgoingTable, asked: Asked) {
    super(table, asked)
    this.#asked = asked
    this.#credit = table.limits.credit
    this.#outstanding = this.#credit
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Step> {
    if (!this.#started) this.#begin()
    if (this.#items.length > 0) {
      const value = this.#items.shift()
      this.#renew()
      return Promise.resolve({ done: false, value })
    }
    const { promise, resolve, reject } = Promise.withResolvers<Step>()
    if (this.#end === undefined) this.#waiters.push({ resolve, reject })
    else this.#tellEnd({ resolve, reject })
    promise.catch(() => {})
    return promise
  }

  /** The consumer leaves early. */
  return(): Promise<Step> {
    this.#started = true
    this.#items = []
    this.#end = { kind: 'done' }
    this.abandon(abortError(this.target, undefined))
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(done)
    return Promise.resolve(done)
  }

  /** An item has arrived; also called for an abandoned stream, whose items are counted and dropped. */
  item(value: unknown): void {
    if (this.#outstanding === 0) throw rpcErrors.error('RPC_CREDIT_EXCEEDED')
    this.#outstanding--
    if (this.state !== 'sent') return
    const waiter = this.#waiters.shift()
    if (waiter === undefined) {
      this.#items.push(value)
      return
    }
    this.#renew()
    waiter.resolve({ done: false, value })
  }

  ended(): void {
    if (this.release('settled')) this.#finish({ kind: 'done' })
  }

  /** Items that arrived before an error of the producer are still delivered. */
  protected override failed(error: Error): void {
    this.#finish({ kind: 'failed', error })
  }

  override abandon(error: Error): void {
    if (this.state === 'held' || this.state === 'sent') this.#items = []
    super.abandon(error)
  }

  #begin(): void {
    this.#started = true
    this.start(this.#asked.value, `,${String(this.#credit)}`)
  }

  #finish(end: End): void {
    this.#end ??= end
    for (const waiter of this.#waiters.splice(0)) this.#tellEnd(waiter)
  }

  /** An error is thrown once; afterwards the iterator is simply done. */
  #tellEnd(waiter: Waiter): void {
    const end = this.#end
    this.#end = { kind: 'done' }
    if (end?.kind === 'failed') waiter.reject(end.error)
    else waiter.resolve(done)
  }

  #renew(): void {
    this.#taken++
    if (this.state !== 'sent' || this.#taken * 2 < this.#credit) return
    this.table.control(['credit', this.id, this.#taken])
    this.#outstanding += this.#taken
    this.#taken = 0
  }
}
