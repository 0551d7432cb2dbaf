import { PlatformError } from '@backplane/sdk'
import type { Candidate } from '../plugins/plugin.ts'
import type { FoundPackage } from '../ports.ts'
import { check, type CheckContext } from './check.ts'
import type { Discovered } from './discover.ts'
import { failureOf } from './stage-result.ts'

/** What was found, checked; a package that cannot be read is a candidate too, with its failure. */
export function candidateOf(id: string, { source, path, found, problem }: Discovered, context: CheckContext): Candidate {
  if (found === undefined) {
    const error = PlatformError.fromJSON(problem?.error)
    const shared = {
      id,
      version: '0.0.0',
      source,
      found: unreadable(path, error),
      manifest: undefined,
      failure: failureOf('discover', error),
    }
    return { ...shared, denied: undefined, notes: none, needs: none, staged: undefined }
  }
  const { manifest, failure, denied, notes } = check(found, context)
  const version = manifest?.version ?? versionOf(found.manifest)
  return { id, version, source, found, manifest, failure, denied, notes, needs: none, staged: undefined }
}

/** Whether a candidate was made of the same package as is there now. */
export function isSame(candidate: Candidate, { source, found, problem }: Discovered): boolean {
  if (candidate.source !== source) return false
  if (found !== undefined) return candidate.found.fingerprint === found.fingerprint && candidate.found.path === found.path
  return candidate.found.path === problem?.path && candidate.failure?.message === problem.error.message
}

const none: readonly never[] = Object.freeze([])

function unreadable(path: string, error: PlatformError): FoundPackage {
  const stage = (): Promise<never> => Promise.reject(error)
  return { manifest: undefined, manifestPath: path, path, fingerprint: `unreadable: ${error.message}`, stage }
}

function versionOf(manifest: unknown): string {
  const version: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined
  return typeof version === 'string' && version.length <= 100 ? version : '0.0.0'
}
