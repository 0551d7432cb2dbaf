import { PlatformError } from '@backplane/sdk'
import type { DaemonProblem } from './daemon-json.ts'

/** What the daemon refused or failed with; `problem` is its answer as it came. */
export class DaemonError extends PlatformError {
  readonly problem: DaemonProblem

  constructor(problem: DaemonProblem) {
    super(problem.code, problem.detail, { hint: hintFor(problem.code, problem.hint), retryable: problem.retryable })
    this.problem = problem
  }
}

/** Where the daemon would say which request helps: the verb that sends it. */
const hints: Readonly<Record<string, string>> = {
  PROVIDER_UNKNOWN: 'Run `hyperctl providers` and use a type or an instance from the list.',
  PROVIDER_MACHINE_UNKNOWN: 'Run `hyperctl vms list` with the provider and use an id from the list.',
  JOB_UNKNOWN: 'Run `hyperctl query` and use an id from the list.',
  SERVER_PLUGIN_UNKNOWN: 'Run `hyperctl plugins` and use an id from the list.',
}

/** What to do about an error of the daemon, in the words of the command line where it has its own. */
export function hintFor(code: string, hint: string | undefined): string | undefined {
  return hints[code] ?? hint
}

/** The exit code for an answer: 2 usage, 65 what was sent does not fit, 66 not there, 69 unavailable, 70 failed, 75 try again, 77 refused, else 1. */
export function exitCodeOf({ status, retryable }: DaemonProblem): number {
  if (retryable || status === 408 || status === 429) return 75
  if (status === 401 || status === 403 || status === 421) return 77
  if (status === 404) return 66
  if (status === 409 || status === 412) return 1
  if (status === 413 || status === 422) return 65
  if (status === 500) return 70
  return status > 500 ? 69 : 2
}
