import { fileURLToPath } from 'node:url'
import { invalidReference } from './invalid-reference.ts'

/**
 * The path that a reference to a folder or an archive of this machine means, as it is written; undefined for an address of
 * another machine. What can be read in two ways is refused. Errors: `FETCH_REFERENCE_INVALID`.
 */
export function localPath(reference: string): string | undefined {
  const text = reference.replace(/^(?:archive|directory):/, '')
  // A folder is never at an address: `directory:https:/../etc` is a path, and is judged as one.
  if (/^https?:/.test(text) && !reference.startsWith('directory:')) return undefined
  const path = text.startsWith('file://') ? pathOf(text) : text.replace(/^file:/, '')
  if (path.includes('\0')) throw invalid(reference, 'it is no path')
  return path
}

function pathOf(text: string): string {
  if (/[?#]/.test(text)) throw invalid(text, 'there is more in it than a path')
  try {
    return fileURLToPath(text)
  } catch {
    // another host, an escaped slash, an escape that is none
    throw invalid(text, 'it is no path')
  }
}

function invalid(reference: string, problem: string): Error {
  return invalidReference(reference, problem, './s3.tgz')
}
