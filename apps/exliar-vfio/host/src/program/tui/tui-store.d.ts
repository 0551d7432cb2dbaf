import type { Task, TuiEvent, TuiState } from './tui-state.ts'
/** Holds the state, and hands what is to be done to who does it. */
export declare class TuiStore {
  #private
  constructor(first: TuiState, begin: (task: Task) => void)
  readonly state: () => TuiState
  readonly subscribe: (listener: () => void) => () => void
  readonly happened: (event: TuiEvent) => void
}
//# sourceMappingURL=tui-store.d.ts.map
