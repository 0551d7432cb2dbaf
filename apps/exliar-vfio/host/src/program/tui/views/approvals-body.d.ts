import type { TuiState } from '../tui-state.ts'
import { type Body } from './line.ts'
/** Critical operations that wait for a person, and those that were answered. */
export declare function approvalsBody({ questions, question, decided }: TuiState, width: number): Body
//# sourceMappingURL=approvals-body.d.ts.map
