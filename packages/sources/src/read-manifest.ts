import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { PlatformError } from '@backplane/sdk'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { sourceErrors } from './errors.ts'
import { jsonProblem } from './json-problem.ts'
import type { PackageLimits } from './limits.ts'

/** A manifest's value, or why there is none. */
export type ManifestReading =
  | { readonly kind: 'read'; readonly manifest: unknown }
  | { readonly kind: 'problem'; readonly error: PlatformError }

/** Reads one `plugin.json`, never following a link. Synchronous: one small file costs less than one await. */
export function readManifest(path: string, limits: PackageLimits): ManifestReading {
  let bytes: Buffer | undefined
  try {
    bytes = readWhole(path, limits.manifestBytes)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return problem(sourceErrors.error('SOURCE_UNREADABLE', { path, reason }, { cause: error }))
  }
  if (bytes === undefined) {
    const limit = `${limits.manifestBytes} bytes, the limit of a manifest`
    return problem(sourceErrors.error('SOURCE_TOO_LARGE', { path, limit }))
  }
  if (!isUtf8(bytes)) return invalid(path, { problem: 'the file is not UTF-8', line: 1, column: 1 })
  const text = bytes.toString('utf8')
  const parsed = parseStrictJson(text, limits.manifestDepth)
  return parsed.kind === 'value' ? { kind: 'read', manifest: parsed.value } : invalid(path, jsonProblem(text, parsed))
}

function problem(error: PlatformError): ManifestReading {
  return { kind: 'problem', error }
}

function invalid(path: string, where: { problem: string; line: number; column: number }): ManifestReading {
  return problem(sourceErrors.error('SOURCE_MANIFEST_INVALID', { path, ...where }, { details: { path, ...where } }))
}

/** Undefined when the file is larger than `maxBytes`. */
function readWhole(path: string, maxBytes: number): Buffer | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(file)
    if (!stats.isFile()) throw new Error('not a regular file')
    if (stats.size > maxBytes) return undefined
    const bytes = Buffer.allocUnsafe(stats.size)
    let length = 0
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, length)
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  } finally {
    closeSync(file)
  }
}
