import type { ExitCause } from '@backplane/kernel'
import type { PlatformError } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'

/** `RUNTIME_EXITED` that names the cause; the cause itself is in its details. */
export function exitedError(plugin: string, cause: ExitCause, from?: unknown): PlatformError {
  const fields = { plugin, details: { cause }, cause: from }
  return runtimeErrors.error('RUNTIME_EXITED', { plugin, cause: exitText(cause) }, fields)
}

/** Why a generation ended, in a few words. */
export function exitText(cause: ExitCause): string {
  switch (cause.kind) {
    case 'stopped':
      return 'it was stopped'
    case 'exit':
      return `it exited with code ${cause.code}${lastLine(cause.lastLines)}`
    case 'signal':
      return `it was ended by ${cause.signal}${lastLine(cause.lastLines)}`
    case 'memory':
      return `it used up its memory (${cause.detail})`
    case 'protocol':
      return `it broke the protocol (${cause.detail})`
    case 'hang':
      return `it hung (${cause.detail})`
    case 'unhealthy':
      return `it was not healthy (${cause.detail})`
    case 'limit':
      return `it went over a limit (${cause.detail})`
  }
}

function lastLine(lines: readonly string[]): string {
  // Of a stack, what was thrown says more than where.
  const thrown = lines.findLast((line) => /^(?:Uncaught )?[\w.]*Error\b/.test(line))
  const line = thrown ?? lines.at(-1)
  return line === undefined ? '' : ` after “${line.slice(0, 200)}”`
}
