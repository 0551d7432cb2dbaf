import type { OutgoingCall } from './session.ts'

/**
 * Writes the fields of a request between its id and its value. The last ones are kept: many requests in a row differ in
 * nothing else, and writing these four takes as long as writing a small value.
 */
export class RequestHeadWriter {
  #target = ''
  #deadlineAtMs = 0
  #traceId = ''
  #caller = ''
  #text = '"",0,"",""'

  /** `target`, `deadline`, `trace`, `caller`, with the commas between. */
  write(target: string, { deadlineAtMs = 0, traceId = '', caller = '' }: OutgoingCall): string {
    if (target !== this.#target || deadlineAtMs !== this.#deadlineAtMs || traceId !== this.#traceId || caller !== this.#caller) {
      this.#target = target
      this.#deadlineAtMs = deadlineAtMs
      this.#traceId = traceId
      this.#caller = caller
      this.#text = JSON.stringify([target, deadlineAtMs, traceId, caller]).slice(1, -1)
    }
    return this.#text
  }
}
