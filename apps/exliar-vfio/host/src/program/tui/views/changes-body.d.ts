import type { TuiState } from '../tui-state.ts'
import type { ChangesNow } from '../tui-state.ts'
import { type Body } from './line.ts'
/** What was changed, by whom, and what still stands. */
export declare function changesBody({ changes, interrupted }: ChangesNow, { work, result }: TuiState, width: number): Body
//# sourceMappingURL=changes-body.d.ts.map
