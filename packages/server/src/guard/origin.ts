import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { allowedHosts } from './host.ts'

/**
 * Browsers tell where a request comes from: `Origin` must be absent, the server's own or allowed, and
 * `Sec-Fetch-Site` absent, `none` or `same-origin`. Programs send neither.
 */
export function checkOrigin(headers: Headers, peer: Peer, extra: readonly string[]): void {
  const origin = headers.get('origin')
  const site = headers.get('sec-fetch-site')
  const allowed = origin !== null && extra.includes(origin)
  const own = origin === null || allowedHosts(peer, []).some((host) => origin === `http://${host}`)
  if (!allowed && !own) refuse()
  if (!allowed && site !== null && site !== 'none' && site !== 'same-origin') refuse()
}

function refuse(): never {
  throw serverErrors.error('SERVER_ORIGIN_REFUSED')
}
