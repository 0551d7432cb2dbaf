import type { Next, TuiEvent, TuiState } from './tui-state.ts'
/** What comes of an event: another state, and what is to be done outside. Pure. */
export declare function update(before: TuiState, event: TuiEvent): Next
//# sourceMappingURL=update.d.ts.map
