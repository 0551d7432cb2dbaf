import { OutgoingRequest } from './outgoing-request.ts'
import type { OutgoingRequests } from './outgoing-requests.ts'
import type { OutgoingCall } from './session.ts'

/** A request that is answered once. */
export class UnaryCall extends OutgoingRequest {
  override readonly kind = 'call'
  readonly answer: Promise<unknown>
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: Error) => void

  constructor(table: OutgoingRequests, request: { target: string; value: unknown; options: OutgoingCall }) {
    super(table, request.target, request.options)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
    this.start([], request.value, request.options)
  }

  answered(value: unknown): void {
    this.settle(() => this.#resolve(value))
  }

  override failed(error: Error): void {
    // Marks the promise as looked after: a caller that went away must not end the process.
    // oxlint-disable-next-line promise/no-promise-in-callback -- this is no callback
    this.answer.catch(() => {})
    this.#reject(error)
  }
}
