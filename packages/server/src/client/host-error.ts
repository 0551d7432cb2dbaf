import { PlatformError } from '@backplane/sdk'

/** A problem as a host answers it. Source: RFC 9457 §3. */
export interface HostProblem {
  readonly code: string
  readonly detail: string
  readonly status: number
  readonly retryable: boolean
  /** What to end with; an older host does not say. */
  readonly exit?: number
  readonly hint?: string
}

/** What a host refused or failed with; `problem` is its answer as it came. */
export class HostError extends PlatformError {
  readonly problem: HostProblem

  constructor(problem: HostProblem) {
    const { code, detail, hint, retryable } = problem
    super(code, detail, { retryable, ...(hint === undefined ? {} : { hint }) })
    this.problem = problem
  }
}

/**
 * The exit code for an answer: what the host says of the code. For a host that says nothing: 2 usage, 65 what was sent does not fit, 66 not there, 69 unavailable, 70 failed, 75 try
 * again, 77 refused, else 1.
 */
export function exitCodeOf({ status, retryable, exit }: HostProblem): number {
  if (exit !== undefined && Number.isInteger(exit) && exit > 0 && exit < 126) return exit
  if (retryable || status === 408 || status === 429) return 75
  if (status === 401 || status === 403 || status === 421) return 77
  if (status === 404) return 66
  if (status === 409 || status === 412) return 1
  if (status === 413 || status === 422) return 65
  if (status === 500) return 70
  return status > 500 ? 69 : 2
}
