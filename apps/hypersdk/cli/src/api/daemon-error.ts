import { PlatformError } from '@backplane/sdk'
import type { DaemonProblem } from './daemon-json.ts'

/** What the daemon refused or failed with; `problem` is its answer as it came. */
export class DaemonError extends PlatformError {
  readonly problem: DaemonProblem

  constructor(problem: DaemonProblem) {
    super(problem.code, problem.detail, { hint: problem.hint, retryable: problem.retryable })
    this.problem = problem
  }
}

/** The exit code for an answer: 2 usage, 66 not there, 69 unavailable, 70 failed, 75 try again, 77 refused, else 1. */
export function exitCodeOf({ status, retryable }: DaemonProblem): number {
  if (retryable || status === 408 || status === 429) return 75
  if (status === 401 || status === 403 || status === 421) return 77
  if (status === 404) return 66
  if (status === 409 || status === 412) return 1
  if (status === 500) return 70
  return status > 500 ? 69 : 2
}
