import type { TuiState } from '../tui-state.ts'
import { type Body } from './line.ts'
/** Lines that are there for what scrolls. */
export declare function bodyRows({ rows }: Pick<TuiState, 'rows'>): number
/** What the screen shows between its frame. */
export declare function screenBody(state: TuiState): Body
/** First line shown so that the chosen one is seen and nothing is shown below the end. */
export declare function firstLine(state: TuiState, { lines, cursor }: Body): number
//# sourceMappingURL=screen-body.d.ts.map
