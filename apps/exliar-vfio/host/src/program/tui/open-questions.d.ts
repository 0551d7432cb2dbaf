import type { ApprovalRequest } from '@backplane/kernel'
import type { Approver } from '../approvals/asked-desk.ts'
/** What {@link OpenQuestions} is made of. */
export interface OpenQuestionsParts {
  readonly asked: (request: ApprovalRequest) => void
  /** Nobody waits for the answer any more. */
  readonly givenUp: (id: string) => void
}
/** Questions on the screen, and who waits for their answers. Disposed, all are refused. */
export declare class OpenQuestions implements Disposable {
  #private
  constructor(parts: OpenQuestionsParts)
  readonly approver: Approver
  /** Answers one; nothing where nobody waits. */
  decide(id: string, approved: boolean, reason: string | null): void
  [Symbol.dispose](): void
}
//# sourceMappingURL=open-questions.d.ts.map
