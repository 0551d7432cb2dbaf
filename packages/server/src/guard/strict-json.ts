import { parseStrictJson } from '@backplane/sdk/strict-json'
import { serverErrors } from '../errors.ts'

/**
 * Refuses JSON that two readers could read differently, or that is nested more than `depthLimit` deep.
 * Errors: `SERVER_BODY_INVALID`, `SERVER_BODY_TOO_DEEP`, `SERVER_BODY_KEY_REFUSED`.
 */
export function checkStrictJson(text: string, depthLimit: number): void {
  const parsed = parseStrictJson(text, depthLimit)
  switch (parsed.kind) {
    case 'value':
      return
    case 'too-deep':
      throw serverErrors.error('SERVER_BODY_TOO_DEEP', { limit: parsed.limit })
    case 'forbidden-key':
      throw keyRefused(parsed.key, 'is not allowed')
    case 'repeated-key':
      throw keyRefused(parsed.key, 'is given twice in one object')
    case 'syntax':
      throw serverErrors.error('SERVER_BODY_INVALID', { reason: reasonOf(parsed.error) })
  }
}

function keyRefused(key: string, reason: string): Error {
  return serverErrors.error('SERVER_BODY_KEY_REFUSED', { key: key.slice(0, 80), reason })
}

/** V8 quotes the text around the place; the place is enough, and the text may hold a secret. */
function reasonOf(error: SyntaxError): string {
  const position = /position (\d+)/.exec(error.message)?.[1]
  return position === undefined ? 'it ends too early or is not JSON at all' : `unexpected character at ${position}`
}
