import type { Session } from '../session.ts'
import type { Task, TuiEvent } from './tui-state.ts'
/** Does what the interface asks for, with a session, and tells what came of it. Disposed, it waits for what runs. */
export declare class TuiWork implements AsyncDisposable {
  #private
  constructor(session: Session, tell: (event: TuiEvent) => void, quit: () => void)
  /** Begins a task; what comes of it is told. Never throws. */
  begin(task: Task): void
  [Symbol.asyncDispose](): Promise<void>
}
//# sourceMappingURL=tui-work.d.ts.map
