/** The operating system's name for what went wrong, such as `EACCES`; the error's message where it has none. */
export function errnoOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (typeof code === 'string') return code
  return error instanceof Error ? error.message : String(error)
}
