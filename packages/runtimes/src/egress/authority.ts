import { isIPv4, isIPv6, SocketAddress } from 'node:net'

/** Where a connection goes, in the one form that is compared and dialled. */
export interface Authority {
  /** `host:port`, lower-case; IPv6 in brackets and shortest form. */
  readonly text: string
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly kind: 'name' | 'address'
}

const longestName = 253
const label = /^[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/
/** What resolvers and browsers take for a number, and so the whole for an address. */
const numeric = /^(?:\d+|0x[\da-f]*)$/

/**
 * Reads `host:port`; undefined for anything else. There is one spelling of each place: no user, no empty or closing dot, no
 * zone of an address, no address but dotted decimals and bracketed IPv6, no zeros before a port, nothing percent-encoded.
 */
export function parseAuthority(given: string): Authority | undefined {
  const colon = given.lastIndexOf(':')
  const written = given.slice(0, Math.max(0, colon)).toLowerCase()
  const port = given.slice(colon + 1)
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return undefined
  const found = bracketed(written) ?? plain(written)
  if (found === undefined) return undefined
  const shown = found.host.includes(':') ? `[${found.host}]` : found.host
  return { ...found, text: `${shown}:${port}`, port: Number(port) }
}

type Host = Pick<Authority, 'host' | 'kind'>

function bracketed(written: string): Host | undefined {
  const inside = /^\[([\da-f:.]+)\]$/.exec(written)?.[1]
  if (inside === undefined || !isIPv6(inside)) return undefined
  return { host: shortest(inside), kind: 'address' }
}

function plain(written: string): Host | undefined {
  if (isIPv4(written)) return { host: written, kind: 'address' }
  const labels = written.split('.')
  const isName = written.length <= longestName && labels.every((one) => label.test(one)) && !numeric.test(labels.at(-1) ?? '')
  return isName ? { host: written, kind: 'name' } : undefined
}

/** The shortest form of an IPv6 address, which has many. */
function shortest(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address
}
