import { ActiveCall, type CallRequest, type CallSubject } from './active-call.ts'
import type { CallEnds } from './dispatcher.ts'
import type { Generation } from '../plugins/generation.ts'
import type { CallContext, Target } from '../ports.ts'

/** How the instance is asked; `late` undoes an answer that came after the call had ended. */
export interface Perform {
  readonly run: (generation: Generation, target: Target, input: unknown, context: CallContext) => Promise<unknown>
  readonly late?: (generation: Generation, target: Target, answer: unknown) => void
}

/** The caller's promise. */
export interface Settlers {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** A call that answers once. */
export class UnaryCall extends ActiveCall {
  readonly #ends: CallEnds
  readonly #perform: Perform
  readonly #settlers: Settlers

  constructor(
    subject: CallSubject,
    request: CallRequest,
    ends: CallEnds,
    how: { readonly perform: Perform; readonly settlers: Settlers },
  ) {
    super(subject, request, ends.inFlight)
    this.#ends = ends
    this.#perform = how.perform
    this.#settlers = how.settlers
  }

  override run(generation: Generation): void {
    this.isAtPlugin = true
    try {
      this.#perform.run(generation, this.target, this.input, this).then(
        (answer) => this.#answered(generation, answer),
        (error: unknown) => this.#ends.failed(this, error),
      )
    } catch (error) {
      this.#ends.failed(this, error)
    }
  }

  #answered(generation: Generation, answer: unknown): void {
    this.isAtPlugin = false
    if (this.settled) {
      this.#perform.late?.(generation, this.target, answer)
      return
    }
    const accepted = this.accept(answer)
    if (accepted !== undefined && this.succeed()) this.#settlers.resolve(accepted.value)
  }

  protected override refuse(error: Error): void {
    this.#settlers.reject(error)
  }
}
