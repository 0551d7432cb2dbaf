import { PlatformError, type SchemaIssue } from '@backplane/sdk'
import { kernelErrors } from './errors.ts'
import type { Plugin } from './plugin.ts'
import type { Route } from './point-table.ts'
import type { ExitCause, Target } from './ports.ts'
import { firstIssue } from './validation.ts'

/** The value a caller passed does not fit. */
export function inputInvalid(route: Route, issues: readonly SchemaIssue[]): PlatformError {
  const { path, problem } = firstIssue(issues)
  const { point, method } = route
  return kernelErrors.error('CALL_INPUT_INVALID', { point, method, path, problem }, { point, details: { path, method } })
}

/** What a plugin answered does not fit: its fault, not the caller's. */
export function outputInvalid(plugin: Plugin, route: Route, issues: readonly SchemaIssue[]): PlatformError {
  const { path, problem } = firstIssue(issues)
  const { point, method } = route
  const parameters = { plugin: plugin.id, point, method, path, problem }
  return kernelErrors.error('CALL_OUTPUT_INVALID', parameters, { plugin: plugin.id, point, details: { path, method } })
}

/** What a plugin threw, whatever it is, with who, where and its own code. */
export function callFailed(plugin: Plugin, route: Route, target: Target, thrown: unknown): PlatformError {
  const { point, method } = route
  const own = PlatformError.fromJSON(
    thrown instanceof PlatformError ? thrown.toJSON() : new PlatformError('', '', { cause: asError(thrown) }).toJSON().cause,
  )
  const details = { ...own.details, name: target.name, method, pluginCode: own.code }
  const fields = { plugin: plugin.id, point, details, retryable: own.retryable, hint: own.hint, cause: thrown }
  return kernelErrors.error('CALL_FAILED', { plugin: plugin.id, point, method, reason: own.message }, fields)
}

/** The process behind a call ended before it answered. */
export function pluginExited(plugin: Plugin, route: Route | undefined, cause: ExitCause): PlatformError {
  const details = { cause }
  return kernelErrors.error(
    'PLUGIN_EXITED',
    { plugin: plugin.id, cause: exitText(cause) },
    { plugin: plugin.id, point: route?.point, details },
  )
}

/** A sentence's end for why a generation ended. */
export function exitText(cause: ExitCause): string {
  switch (cause.kind) {
    case 'stopped':
      return 'it was stopped'
    case 'exit':
      return `it exited with code ${cause.code}`
    case 'signal':
      return `it was killed by ${cause.signal}`
    case 'memory':
      return `it ran out of memory (${cause.detail})`
    case 'protocol':
      return `it broke the protocol (${cause.detail})`
    case 'hang':
      return `it did not respond (${cause.detail})`
  }
}

/** Anything thrown as an error, so that it has a message. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'string') return new Error(thrown)
  try {
    return new Error(typeof thrown === 'object' ? JSON.stringify(thrown) : String(thrown))
  } catch {
    return new Error('a value that cannot be shown was thrown')
  }
}
