import type { PlatformError, SchemaIssue } from '@backplane/sdk'
import type { ActiveCall, CallingPlugin } from './active-call.ts'
import { kernelErrors } from '../errors.ts'
import type { Plugin } from '../plugins/plugin.ts'
import type { Route } from '../points/point-table.ts'
import type { ExitCause } from '../ports.ts'
import type { Redactor } from '../redactor.ts'
import { asPlatformError } from './thrown.ts'
import { firstIssue } from './validation.ts'

/** The calling plugin was not granted what the method takes. */
export function notPermitted({ id }: CallingPlugin, { point, method }: Route, permission: string): PlatformError {
  const parameters = { caller: id, point, method, permission }
  return kernelErrors.error('CALL_NOT_PERMITTED', parameters, { plugin: id, point, details: { method, permission } })
}

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

/** What a plugin threw, whatever it is, with who, where and its own code. Values of secrets are taken out. */
export function callFailed({ plugin, route, target }: ActiveCall, thrown: unknown, redactor: Redactor): PlatformError {
  const { point, method } = route
  const own = asPlatformError(redactor.isEmpty ? thrown : redactor.error(asPlatformError(thrown)))
  const details = { ...own.details, name: target.name, method, pluginCode: own.code }
  const fields = { plugin: plugin.id, point, details, retryable: own.retryable, hint: own.hint, cause: own }
  return kernelErrors.error('CALL_FAILED', { plugin: plugin.id, point, method, reason: own.message }, fields)
}

/** The process behind a call ended before it answered; without a route, of a generation as a whole. */
export function pluginExited(plugin: Plugin, route: Route | undefined, cause: ExitCause): PlatformError {
  const parameters = { plugin: plugin.id, cause: exitText(cause) }
  return kernelErrors.error('PLUGIN_EXITED', parameters, { plugin: plugin.id, point: route?.point, details: { cause } })
}

/** A sentence's end for why a generation ended. */
export function exitText(cause: ExitCause): string {
  switch (cause.kind) {
    case 'stopped':
      return 'it stopped by itself'
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
    case 'unhealthy':
      return `it was not healthy (${cause.detail})`
    case 'limit':
      return `it went over a limit (${cause.detail})`
  }
}
