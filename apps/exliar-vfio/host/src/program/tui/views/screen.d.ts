import { type ReactNode } from 'react'
import type { TuiState } from '../tui-state.ts'
/** The whole screen. Everything that is drawn goes through here, and what would steer the terminal does not get further. */
export declare function Screen({ state, colors }: { readonly state: TuiState; readonly colors: boolean }): ReactNode
//# sourceMappingURL=screen.d.ts.map
