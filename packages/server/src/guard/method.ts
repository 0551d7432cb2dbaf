import { serverErrors } from '../errors.ts'

/** Anything not on the list (TRACE, OPTIONS, CONNECT, made-up words) never reaches a route. */
export function checkMethod(method: string, allowed: readonly string[]): void {
  if (allowed.includes(method)) return
  const allow = allowed.join(', ')
  throw serverErrors.error('SERVER_METHOD_REFUSED', { method: method.slice(0, 20), allow }, { details: { allow } })
}
