import { isIP } from 'node:net'
import type { PlatformError } from '@backplane/sdk'
import { sourceErrors } from '../errors.ts'

/** Who asks: sent to the origin of the place it is for and to no other, and never written into an error. */
export type Credential =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }

/** A place the host's options name: packages come from there, and from nowhere it does not name. */
export interface HomeOptions {
  /** `https://registry.example.org/npm/`; `http:` only on loopback, or with `allowHttp`. */
  readonly url: string
  /** Other hosts it may send us to for what it holds: `cdn.example.org`, `cdn.example.org:8443`. Default: none. */
  readonly alsoFrom?: readonly string[]
  /** Takes what comes without encryption, also from `alsoFrom`; digests still hold. Default false. */
  readonly allowHttp?: boolean
  /** Asked for at each use, so that what it answers may change. Default: none is sent. */
  readonly credential?: (signal: AbortSignal) => Promise<Credential | undefined> | Credential | undefined
}

/** A named place whose options are in order. */
export interface FetchHome extends Omit<HomeOptions, 'url'> {
  /** Ends in a slash. */
  readonly url: URL
}

/** Reads the options of a place. Errors: `FETCH_ADDRESS_REFUSED`. */
export function homeOf(options: HomeOptions): FetchHome {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined
  if (url === undefined) throw refused('this place', 'its address is no URL')
  if (url.search !== '' || url.hash !== '') throw refused(shownUrl(url), 'its address has more than a path')
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  for (const host of options.alsoFrom ?? []) {
    const isHost = URL.canParse(`https://${host}`) && new URL(`https://${host}`).host === host
    if (!isHost) throw refused(host, 'alsoFrom takes hosts as in cdn.example.org:8443')
  }
  const home = { ...options, url }
  checkAllowed(url, home)
  return home
}

/** Whether a place may be asked at all, by its name alone. Errors: `FETCH_ADDRESS_REFUSED`. */
export function checkAllowed(url: URL, home: FetchHome): void {
  const place = shownUrl(url)
  if (url.username !== '' || url.password !== '') throw refused(place, 'there is a name or a password in its address')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refused(place, `${url.protocol} is not asked for packages`)
  if (!isAtHome(url, home) && home.alsoFrom?.includes(url.host) !== true) {
    throw refused(url.host, `${home.url.host} leads there, and nobody named it`)
  }
  if (url.protocol === 'http:' && home.allowHttp !== true && !isLoopbackName(hostOf(url))) {
    throw refused(place, 'what comes over http: can be changed on its way')
  }
}

/** Whether it is the very origin the options name. */
export function isAtHome(url: URL, home: FetchHome): boolean {
  return url.origin === home.url.origin
}

/** A host as it is looked up: without the brackets of IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

/** A place that says of itself that it is this machine. Source: RFC 6761 §6.3. */
export function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** An address as errors write it: what follows the path may be a secret. */
export function shownUrl(url: URL): string {
  return url.protocol === 'file:' ? url.pathname : `${url.protocol}//${url.host}${url.pathname}`
}

/** That a place is not fetched from. */
export function refused(place: string, reason: string): PlatformError {
  return sourceErrors.error('FETCH_ADDRESS_REFUSED', { place, reason })
}
