import { update } from './update.ts'
import type { Task, TuiEvent, TuiState } from './tui-state.ts'

/** Holds the state, and hands what is to be done to who does it. */
export class TuiStore {
  #state: TuiState
  readonly #listeners = new Set<() => void>()
  readonly #begin: (task: Task) => void
  readonly #failed: (defect: unknown) => void

  /** `failed`: an event could not be made sense of, which is a defect; the state is what it was before. */
  constructor(first: TuiState, { begin, failed }: { begin: (task: Task) => void; failed: (defect: unknown) => void }) {
    this.#state = first
    this.#begin = begin
    this.#failed = failed
  }

  readonly state = (): TuiState => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly happened = (event: TuiEvent): void => {
    try {
      const [state, tasks] = update(this.#state, event)
      this.#state = state
      for (const listener of this.#listeners) listener()
      for (const task of tasks) this.#begin(task)
    } catch (defect) {
      // Thrown to whoever reads keys it would end the process, in the middle of what changes the machine.
      this.#failed(defect)
    }
  }
}
