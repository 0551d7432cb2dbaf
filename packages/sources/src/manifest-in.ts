import { isUtf8 } from 'node:buffer'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { sourceErrors } from './errors.ts'
import { jsonProblem } from './json-problem.ts'
import { defaultPackageLimits } from './limits.ts'
import type { TreeFile } from './read-tree.ts'

/** `plugin.json` at the top of these files. Errors: `SOURCE_MANIFEST_INVALID`, `SOURCE_TOO_LARGE`. */
export function manifestIn(files: readonly TreeFile[], place: string): unknown {
  const file = files.find(({ path }) => path === 'plugin.json')
  if (file === undefined) throw invalid(place, { problem: 'there is no plugin.json in it', line: 1, column: 1 })
  if (file.bytes.length > defaultPackageLimits.manifestBytes) {
    const limit = `${defaultPackageLimits.manifestBytes} bytes, the limit of a manifest`
    throw sourceErrors.error('SOURCE_TOO_LARGE', { path: `${place}: plugin.json`, limit })
  }
  if (!isUtf8(file.bytes)) throw invalid(place, { problem: 'the file is not UTF-8', line: 1, column: 1 })
  const text = Buffer.from(file.bytes).toString('utf8')
  const parsed = parseStrictJson(text, defaultPackageLimits.manifestDepth)
  if (parsed.kind === 'value') return parsed.value
  throw invalid(place, jsonProblem(text, parsed))
}

function invalid(place: string, where: { readonly problem: string; readonly line: number; readonly column: number }): Error {
  const path = `${place}: plugin.json`
  return sourceErrors.error('SOURCE_MANIFEST_INVALID', { path, ...where }, { details: { path, ...where } })
}
