import type { ApprovalAnswer, ApprovalDesk, ApprovalRequest } from '@backplane/kernel'
import { approvalQueue, type ApprovalQueue } from '@backplane/storage'

/**
 * Asks a person and answers what was said. `signal` is aborted when nobody waits for it any more; the answer is dropped then.
 * To reject is to say no, with the reason.
 */
export type Approver = (request: ApprovalRequest, signal: AbortSignal) => Promise<ApprovalAnswer>

/** What {@link askedDesk} is made of. */
export interface AskedDeskParts {
  /** File of the queue; opened with the first question. */
  readonly path: string
  readonly approver: Approver
  /** Who decides, where the approver does not say. */
  readonly by: string
}

/** A desk at which somebody sits now. Every question is written down before it is asked, and its answer before it counts. */
export function askedDesk({ path, approver, by }: AskedDeskParts): ApprovalDesk & Disposable {
  let queue: ApprovalQueue | undefined
  const decide = async (kept: ApprovalQueue, request: ApprovalRequest, signal: AbortSignal): Promise<void> => {
    const answer = await approver(request, signal).catch((error: unknown) => ({
      approved: false,
      reason: error instanceof Error ? error.message : String(error),
    }))
    if (!signal.aborted) kept.decide(request.id, { by, ...answer })
  }
  return {
    ask: async (request, signal) => {
      queue ??= approvalQueue(path)
      const answer = queue.ask(request, signal)
      // What cannot be written down is an answer too: it ends the wait.
      const written = decide(queue, request, signal).then(() => answer)
      return Promise.race([answer, written])
    },
    [Symbol.dispose]: () => queue?.[Symbol.dispose](),
  }
}
