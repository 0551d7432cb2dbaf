import { update } from './update.js'
/** Holds the state, and hands what is to be done to who does it. */
export class TuiStore {
  #state
  #listeners = new Set()
  #begin
  constructor(first, begin) {
    this.#state = first
    this.#begin = begin
  }
  state = () => this.#state
  subscribe = (listener) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  happened = (event) => {
    const [state, tasks] = update(this.#state, event)
    this.#state = state
    for (const listener of this.#listeners) listener()
    for (const task of tasks) this.#begin(task)
  }
}
//# sourceMappingURL=tui-store.js.map
