import { serverErrors } from '../errors.ts'

/**
 * A path decodes once, as UTF-8, without control characters, and means what was written: a backslash would be read as a
 * slash. What it names is the route's business.
 */
export function checkPath(path: string, target: string): void {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(decode(path)) || /^[^?]*\\/.test(target)) throw serverErrors.error('SERVER_PATH_INVALID')
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw serverErrors.error('SERVER_PATH_INVALID')
  }
}
