import { sourceErrors } from '../errors.ts'
import type { Credential } from './fetch-home.ts'

/** The `Authorization` header that shows a credential. Errors: `FETCH_DENIED` for a token that is none. Source: RFC 6750 §2.1, RFC 7617 §2. */
export function authorizationOf(credential: Credential, place: string): string {
  if (credential.kind === 'basic') {
    return `Basic ${Buffer.from(`${credential.user}:${credential.password}`).toString('base64')}`
  }
  if (/^[\x21-\x7e]+$/.test(credential.token)) return `Bearer ${credential.token}`
  throw sourceErrors.error('FETCH_DENIED', { place, reason: 'the credential for it is none that can be sent' })
}
