import type { ActiveCall } from './active-call.ts'
import { callFailed } from './call-error.ts'
import { noteTooLarge } from './call-limits.ts'
import type { Core } from '../core.ts'
import { asPlatformError } from './thrown.ts'

/** A session that broke is noticed before the end of its process; so long is waited for the cause, ms. */
const causeWaitMs = 1_000

/** The other side keeps time with a clock of its own and may notice the deadline so much sooner, ms. */
const clockSlackMs = 50

/**
 * Ends a call whose instance answered with an error: the plugin threw it — or its process is gone, and why comes soon —
 * or the other side noticed the deadline first, which is the deadline's error all the same.
 */
export function endFailed(core: Core, call: ActiveCall, thrown: unknown): void {
  call.isAtPlugin = false
  if (call.settled) return
  if (thrown instanceof Error && thrown.name === 'TimeoutError' && call.deadlineAtMs - core.clock.now() <= clockSlackMs) {
    call.expire()
    return
  }
  const error = callFailed(call, thrown, core.redactor)
  const { code } = asPlatformError(thrown)
  if (code === 'RPC_MESSAGE_TOO_LARGE') noteTooLarge(core, call, error.message)
  if (code === 'RPC_CLOSED' || code === 'RUNTIME_EXITED') core.clock.after(causeWaitMs, () => call.abort(error))
  else call.abort(error)
}
