import type { Result, TuiState } from '../tui-state.ts'
import { type Body, type Line } from './line.ts'
/** What would be done, what is being done, and how it ended. */
export declare function planBody({ plan, work, result, selected, choices }: TuiState, width: number): Body
/** A unified difference; its lines are not wrapped: they are what is written. */
export declare function diffLines(diff: string): Line[]
/** How the last work ended. */
export declare function resultLines(result: Result, width: number): Line[]
//# sourceMappingURL=plan-body.d.ts.map
