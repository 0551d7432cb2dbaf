import type { ApprovalAnswer, ApprovalRequest } from '@backplane/kernel'
import type { Approver } from '../approvals/asked-desk.ts'

const gone: ApprovalAnswer = { approved: false, reason: 'the person at the terminal has left' }

/** What {@link OpenQuestions} is made of. */
export interface OpenQuestionsParts {
  readonly asked: (request: ApprovalRequest) => void
  /** Nobody waits for the answer any more. */
  readonly givenUp: (id: string) => void
}

/** Questions on the screen, and who waits for their answers. Disposed, all are refused. */
export class OpenQuestions implements Disposable {
  readonly #parts: OpenQuestionsParts
  readonly #waiting = new Map<string, PromiseWithResolvers<ApprovalAnswer>>()
  #closed = false

  constructor(parts: OpenQuestionsParts) {
    this.#parts = parts
  }

  readonly approver: Approver = (request: ApprovalRequest, signal: AbortSignal) => {
    if (this.#closed) return Promise.resolve(gone)
    const answer = Promise.withResolvers<ApprovalAnswer>()
    this.#waiting.set(request.id, answer)
    const giveUp = (): void => {
      if (!this.#waiting.delete(request.id)) return
      answer.reject(new Error('nobody waits any more'))
      this.#parts.givenUp(request.id)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#parts.asked(request)
    return answer.promise
  }

  /** Answers one; nothing where nobody waits. */
  decide(id: string, approved: boolean, reason: string | null): void {
    const answer = this.#waiting.get(id)
    this.#waiting.delete(id)
    answer?.resolve(approved ? { approved } : { approved, reason: reason ?? 'the person at the terminal said no' })
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const answer of this.#waiting.values()) answer.resolve(gone)
    this.#waiting.clear()
  }
}
