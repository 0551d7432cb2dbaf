import { PlatformError } from '@backplane/sdk'
/** An error in one line, with what to do about it where that is known. */
export function failureText(error) {
  if (!(error instanceof PlatformError)) return error instanceof Error ? error.message : String(error)
  return [`${error.code}: ${error.message}`, ...(error.hint === undefined ? [] : [error.hint])].join('\n')
}
//# sourceMappingURL=failure-text.js.map
