import { type Next, type PanelTab, type TuiEvent, type TuiState } from './tui-state.ts'
type KeyEvent = Extract<
  TuiEvent,
  {
    kind: 'key'
  }
>
/** The panel on the screen. */
export declare function shownPanel({ screen, help, panels, panel, leaving }: TuiState): PanelTab | undefined
/** What a key does: an open question first, then what works everywhere, then the screen. */
export declare function onKey(state: TuiState, event: KeyEvent): Next
export {}
//# sourceMappingURL=on-key.d.ts.map
