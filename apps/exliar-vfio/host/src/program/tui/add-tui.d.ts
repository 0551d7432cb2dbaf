import type { Command } from 'commander'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'
/** Adds `tui`. */
export declare function addTui(program: Command, run: Runner): void
/** Whether somebody sits at a terminal that can be drawn on. */
export declare function canDraw({ stdin, stdout }?: Pick<NodeJS.Process, 'stdin' | 'stdout'>): boolean
/** Runs the terminal interface. Errors: `EXLIAR_NO_TERMINAL`. */
export declare function startTui(session: Session): Promise<void>
//# sourceMappingURL=add-tui.d.ts.map
