import { createHash, timingSafeEqual } from 'node:crypto'
import { serverErrors } from '../errors.ts'
import { failureLimit } from './failure-limit.ts'
import type { Scope } from './scope.ts'

/** A token as the server keeps it: its digest, never the token. */
export interface Token {
  /** For people; shown nowhere but in logs. */
  readonly name: string
  readonly sha256: Uint8Array
  readonly scope: Scope
}

/** The digest a token is compared by. */
export function tokenDigest(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

/** Checks bearer tokens; answers the scope of the one that was sent. Source: RFC 6750 §2.1. */
export function tokenCheck(tokens: readonly Token[], failuresPerMinute: number): (headers: Headers, address: string) => Scope {
  const failures = failureLimit({ perWindow: failuresPerMinute, windowMs: 60_000, addresses: 1_000 })
  return (headers, address) => {
    const sent = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.get('authorization') ?? '')?.[1]
    const token = sent === undefined ? undefined : find(tokens, tokenDigest(sent))
    if (token !== undefined) return token.scope
    if (!headers.has('authorization')) throw serverErrors.error('SERVER_TOKEN_MISSING')
    const seconds = failures.record(address)
    if (seconds === undefined) throw serverErrors.error('SERVER_TOKEN_REFUSED')
    throw serverErrors.error('SERVER_TOKEN_RATE_LIMITED', { seconds }, { details: { seconds } })
  }
}

// Every token is compared, each in constant time, so that the answer's delay tells nothing.
function find(tokens: readonly Token[], digest: Uint8Array): Token | undefined {
  let found: Token | undefined
  for (const token of tokens) if (timingSafeEqual(token.sha256, digest)) found = token
  return found
}
