import type { TuiState } from '../tui-state.ts'
import { type Body, type Line } from './line.ts'
/** The names of the screens, with what waits for an answer. */
export declare function titleLine({ screen, columns, questions }: TuiState): Line
/** A rule that says how much is above and below. */
export declare function ruleLine(state: TuiState, body: Body): Line
/** The question that is open, else what was told, else what is being done. */
export declare function messageLine({ prompt, refusing, message, work }: TuiState): Line
/** The keys of this screen. */
export declare function keysLine({ screen, work, help }: TuiState): Line
//# sourceMappingURL=frame.d.ts.map
