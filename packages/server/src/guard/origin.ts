import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { allowedHosts } from './host.ts'

/**
 * Browsers tell where a request comes from: `Origin` must be absent, the server's own or allowed, and
 * `Sec-Fetch-Site` absent, `none` or `same-origin`. Programs send neither. Answers the origin when it is an allowed one.
 */
export function checkOrigin(headers: Headers, peer: Peer, extra: readonly string[]): string | undefined {
  const origin = headers.get('origin')
  const site = headers.get('sec-fetch-site')
  if (origin !== null && extra.includes(origin)) return origin
  const scheme = peer.secure ? 'https' : 'http'
  if (origin !== null && !allowedHosts(peer, []).some((host) => origin === `${scheme}://${host}`)) refuse()
  if (site !== null && site !== 'none' && site !== 'same-origin') refuse()
  return undefined
}

function refuse(): never {
  throw serverErrors.error('SERVER_ORIGIN_REFUSED')
}
