import { update } from './update.ts'
import type { Task, TuiEvent, TuiState } from './tui-state.ts'

/** Holds the state, and hands what is to be done to who does it. */
export class TuiStore {
  #state: TuiState
  readonly #listeners = new Set<() => void>()
  readonly #begin: (task: Task) => void

  constructor(first: TuiState, begin: (task: Task) => void) {
    this.#state = first
    this.#begin = begin
  }

  readonly state = (): TuiState => this.#state

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly happened = (event: TuiEvent): void => {
    const [state, tasks] = update(this.#state, event)
    this.#state = state
    for (const listener of this.#listeners) listener()
    for (const task of tasks) this.#begin(task)
  }
}
