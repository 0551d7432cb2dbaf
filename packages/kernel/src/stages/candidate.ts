import { PlatformError } from '@backplane/sdk'
import type { Candidate } from '../plugins/plugin.ts'
import type { AcceptedManifest, FoundPackage } from '../ports.ts'
import { check, type CheckContext } from './check.ts'
import type { Discovered } from './discover.ts'
import { failureOf } from './stage-result.ts'
import { usableSummary } from './summary.ts'

/** What was found, checked; a package that cannot be read is a candidate too, with its failure. */
export function candidateOf(id: string, { source, path, found, problem }: Discovered, context: CheckContext): Candidate {
  if (found === undefined) {
    const error = PlatformError.fromJSON(problem?.error)
    const failure = failureOf('discover', error)
    const nothing = { declared: undefined, manifest: undefined, denied: undefined, notes: none, needs: none, staged: undefined }
    return { id, version: '0.0.0', source, found: unreadable(path, error), failure, ...nothing }
  }
  const { declared, manifest, failure, denied, notes } = check(found, usableSummary(found), context)
  const version = declared?.version ?? versionOf(found.manifest)
  const readLater = declared !== undefined && manifest === undefined
  const shared = { id, version, source, found, declared, failure, denied, notes, needs: none, staged: undefined }
  return readLater ? new SummarisedCandidate(shared, context) : { ...shared, manifest }
}

/** A candidate whose manifest is read, and held to all rules, when it is first asked for. */
class SummarisedCandidate implements Candidate {
  readonly id: string
  readonly version: string
  readonly source: Candidate['source']
  readonly found: FoundPackage
  readonly declared: Candidate['declared']
  readonly denied: string | undefined
  readonly notes: readonly string[]
  failure: Candidate['failure']
  needs: readonly string[]
  staged: Candidate['staged']
  readonly #context: CheckContext
  #manifest: AcceptedManifest | undefined

  constructor(parts: Omit<Candidate, 'manifest'>, context: CheckContext) {
    this.id = parts.id
    this.version = parts.version
    this.source = parts.source
    this.found = parts.found
    this.declared = parts.declared
    this.denied = parts.denied
    this.notes = parts.notes
    this.failure = parts.failure
    this.needs = parts.needs
    this.staged = parts.staged
    this.#context = context
  }

  /** Undefined when it breaks a rule after all: then nothing of the plugin starts. */
  get manifest(): AcceptedManifest | undefined {
    if (this.#manifest === undefined) {
      const { manifest, failure } = check(this.found, undefined, this.#context)
      const isItself = manifest?.id === this.id && manifest.version === this.version
      if (isItself && (failure === undefined || this.failure !== undefined)) this.#manifest = manifest
    }
    return this.#manifest
  }
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
