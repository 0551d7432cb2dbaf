import type { Session } from '../session.ts'
import { type TalkStream } from './held-talk.ts'
/** The terminal that is drawn on. */
export interface TuiScreen {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  /** What is written there meanwhile waits until the screen is gone. */
  readonly stderr: TalkStream
}
/** Runs the terminal interface until somebody leaves it; the terminal is as it was then. */
export declare function runTui(session: Session, screen?: TuiScreen): Promise<void>
//# sourceMappingURL=run-tui.d.ts.map
