import { OutgoingRequest, type Asked } from './outgoing-request.ts'
import type { OutgoingRequests } from './outgoing-requests.ts'

/** A request that is answered once. */
export class UnaryCall extends OutgoingRequest {
  override readonly kind = 'call'
  readonly answer: Promise<unknown>
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: Error) => void

  constructor(table: OutgoingRequests, asked: Asked) {
    super(table, asked)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
    this.start(asked.value, '')
  }

  answered(value: unknown): void {
    if (this.release('settled')) this.#resolve(value)
  }

  protected override failed(error: Error): void {
    // Marks the promise as looked after: a caller that went away must not end the process.
    // oxlint-disable-next-line promise/no-promise-in-callback -- this is no callback
    this.answer.catch(() => {})
    this.#reject(error)
  }
}
