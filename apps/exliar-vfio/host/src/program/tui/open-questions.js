/** Questions on the screen, and who waits for their answers. Disposed, all are refused. */
export class OpenQuestions {
  #parts
  #waiting = new Map()
  #closed = false
  constructor(parts) {
    this.#parts = parts
  }
  approver = (request, signal) => {
    if (this.#closed) throw new Error('the person at the terminal has left')
    const answer = Promise.withResolvers()
    this.#waiting.set(request.id, answer)
    const giveUp = () => {
      if (!this.#waiting.delete(request.id)) return
      answer.reject(new Error('nobody waits any more'))
      this.#parts.givenUp(request.id)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#parts.asked(request)
    return answer.promise
  }
  /** Answers one; nothing where nobody waits. */
  decide(id, approved, reason) {
    const answer = this.#waiting.get(id)
    this.#waiting.delete(id)
    answer?.resolve({ approved, reason: reason ?? (approved ? 'allowed' : 'the person at the terminal said no') })
  }
  [Symbol.dispose]() {
    this.#closed = true
    for (const answer of this.#waiting.values())
      answer.resolve({ approved: false, reason: 'the person at the terminal has left' })
    this.#waiting.clear()
  }
}
//# sourceMappingURL=open-questions.js.map
