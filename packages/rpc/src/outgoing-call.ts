import { OutgoingRequest, type Asked, type OutgoingTable } from './outgoing-request.ts'

/** A request that is answered once. */
export class UnaryCall extends OutgoingRequest {
  override readonly kind = 'call'
  readonly #answer = Promise.withResolvers<unknown>()

  constructor(table: OutgoingTable, asked: Asked) {
    super(table, asked)
    this.start(asked.value, '')
  }

  get answer(): Promise<unknown> {
    return this.#answer.promise
  }

  answered(value: unknown): void {
    if (this.release('settled')) this.#answer.resolve(value)
  }

  protected override failed(error: Error): void {
    // Marks the promise as looked after: a caller that went away must not end the process.
    // oxlint-disable-next-line promise/no-promise-in-callback -- this is no callback
    this.#answer.promise.catch(() => {})
    this.#answer.reject(error)
  }
}
