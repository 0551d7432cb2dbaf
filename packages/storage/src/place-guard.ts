import { statSync } from 'node:fs'
import { storageErrors } from './errors.ts'

/**
 * Remembers which file is at a path. What it answers throws `STORE_GONE` as soon as none or another one is there: what is
 * written to a file that has no name any more looks written, and is lost with the process. Moved back, it is fine again.
 */
export function placeGuard(path: string): () => void {
  if (path === ':memory:') return () => undefined
  const opened = statSync(path)
  return () => {
    const there = statSync(path, { throwIfNoEntry: false })
    if (there?.ino === opened.ino && there.dev === opened.dev) return
    throw storageErrors.error('STORE_GONE', { path, what: there === undefined ? 'removed' : 'replaced' })
  }
}
