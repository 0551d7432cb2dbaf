import { type ReactNode } from 'react'
import type { TuiStore } from './tui-store.ts'
/** Draws the state of the store, and tells it of keys and of the size of the terminal. */
export declare function App({ store, colors }: { readonly store: TuiStore; readonly colors: boolean }): ReactNode
//# sourceMappingURL=app.d.ts.map
