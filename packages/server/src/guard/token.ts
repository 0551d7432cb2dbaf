import { createHash, timingSafeEqual } from 'node:crypto'
import { serverErrors } from '../errors.ts'
import { failureLimit } from './failure-limit.ts'
import type { Scope } from './scope.ts'

/** A token as the server keeps it: its digest, never the token. */
export interface Token {
  /** For people, in logs and listings. */
  readonly name: string
  readonly sha256: Uint8Array
  readonly scope: Scope
  /** Ids, or `publisher/*`, of the plugins it is for; undefined means all of them. */
  readonly plugins?: readonly string[] | undefined
  /** Milliseconds since the epoch from which on it is refused; undefined means never. */
  readonly expiresAtMs?: number | undefined
  /** Aborted when it is revoked: streams that it opened end then. */
  readonly revoked?: AbortSignal
}

/** The digest a token is compared by. */
export function tokenDigest(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

/**
 * Checks bearer tokens; answers the one that was sent. `tokens` are gone through for each request, so that what was made or
 * revoked meanwhile counts. Source: RFC 6750 §2.1.
 */
export function tokenCheck(tokens: Iterable<Token>, failuresPerMinute: number): (headers: Headers, address: string) => Token {
  const failures = failureLimit({ perWindow: failuresPerMinute, windowMs: 60_000, addresses: 1_000 })
  return (headers, address) => {
    const sent = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.get('authorization') ?? '')?.[1]
    const token = sent === undefined ? undefined : find(tokens, tokenDigest(sent))
    const expired = token?.expiresAtMs !== undefined && token.expiresAtMs <= Date.now()
    if (token !== undefined && !expired) return token
    if (!headers.has('authorization')) throw serverErrors.error('SERVER_TOKEN_MISSING')
    const seconds = failures.record(address)
    if (seconds !== undefined) throw serverErrors.error('SERVER_TOKEN_RATE_LIMITED', { seconds }, { details: { seconds } })
    throw serverErrors.error(expired ? 'SERVER_TOKEN_EXPIRED' : 'SERVER_TOKEN_REFUSED')
  }
}

// Every token is compared, each in constant time, so that the answer's delay tells nothing.
function find(tokens: Iterable<Token>, digest: Uint8Array): Token | undefined {
  let found: Token | undefined
  for (const token of tokens) if (timingSafeEqual(token.sha256, digest)) found = token
  return found
}
