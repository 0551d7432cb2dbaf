import type { Next, TuiEvent, TuiState } from './tui-state.ts'
/** Answers the question that is shown: `y` allows it, `n` asks for a reason first. */
export declare function answerQuestion(
  state: TuiState,
  {
    key,
    alone,
  }: Extract<
    TuiEvent,
    {
      kind: 'key'
    }
  >,
): Next
/** While a reason is typed every key is part of it. */
export declare function typeReason(state: TuiState, key: string): Next
/** Adds to the reason that is typed; nothing where none is. */
export declare function withReason(state: TuiState, text: string): TuiState
//# sourceMappingURL=on-approval-key.d.ts.map
