import { validRange } from 'semver'
import { invalidReference } from '../invalid-reference.ts'
import { isPluginId } from './index-format.ts'

/** What `index:[<index>:]publisher/name[@range]` asks for. */
export interface IndexReference {
  /** Undefined: whichever has it. */
  readonly index: string | undefined
  readonly id: string
  readonly range: string
}

/** Reads a reference. Errors: `FETCH_REFERENCE_INVALID`. */
export function parseIndexReference(reference: string): IndexReference {
  const text = reference.replace(/^index:/, '')
  const [, index, id = '', range = '*'] = /^(?:([^:@/]+):)?([^@]*)(?:@(.*))?$/.exec(text) ?? []
  if (!isPluginId(id)) throw invalid(reference, `"${id.slice(0, 80)}" is no plugin id`)
  if (range.length > 256 || range.trim() === '' || validRange(range) === null) {
    throw invalid(reference, `"${range.slice(0, 60)}" is no range`)
  }
  return { index, id, range }
}

function invalid(reference: string, problem: string): Error {
  return invalidReference(reference, problem, 'index:acme/s3@^1.2')
}
