import { PlatformError } from '@backplane/sdk'
import type { Dialect, DialectCandidate, DialectPackage } from './dialect.ts'
import { sourceErrors } from './errors.ts'

/** What the dialects said of one candidate. */
export type DialectAnswer =
  | { readonly kind: 'read'; readonly package: DialectPackage }
  | { readonly kind: 'failed'; readonly error: PlatformError }
  | { readonly kind: 'not-mine' }

interface KnownAnswer {
  readonly fingerprint: string
  readonly answer: DialectAnswer
}

/** Asks the dialects, once for each state of a candidate. */
export class DialectClaims {
  readonly #dialects: readonly Dialect[]
  #known = new Map<string, KnownAnswer>()
  #used = new Map<string, KnownAnswer>()

  /** Names of files by which dialects know their folders. */
  readonly marks: ReadonlySet<string>

  constructor(dialects: readonly Dialect[]) {
    this.#dialects = dialects
    this.marks = new Set(dialects.flatMap(({ marks = [] }) => marks))
  }

  get isEmpty(): boolean {
    return this.#dialects.length === 0
  }

  async ask(candidate: DialectCandidate, fingerprint: string): Promise<DialectAnswer> {
    const known = this.#known.get(candidate.path)
    const answer = known?.fingerprint === fingerprint ? known.answer : await this.#ask(candidate)
    this.#used.set(candidate.path, { fingerprint, answer })
    return answer
  }

  /** Ends one look over everything: what was not asked for is forgotten. */
  endLook(): void {
    this.#known = this.#used
    this.#used = new Map()
  }

  async #ask(candidate: DialectCandidate): Promise<DialectAnswer> {
    for (const dialect of this.#dialects) {
      try {
        const read = await dialect.read(candidate)
        if (read !== undefined) return { kind: 'read', package: read }
      } catch (error) {
        return { kind: 'failed', error: failure(candidate.path, dialect.name, error) }
      }
    }
    return { kind: 'not-mine' }
  }
}

function failure(path: string, dialect: string, error: unknown): PlatformError {
  if (error instanceof PlatformError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return sourceErrors.error('SOURCE_DIALECT_FAILED', { path, dialect, reason }, { cause: error })
}
