import type { IncomingHttpHeaders } from 'node:http'
import type { Authority } from './authority.ts'

/** Of one connection only; the broker's two are not the same. Source: RFC 9110 §7.6.1. */
const hopByHop = new Set(
  (
    'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade ' +
    'expect http2-settings'
  ).split(' '),
)

/** Headers as they came, without those of the connection, and `over` instead of what they say of the same names. */
export function forwardedHeaders(
  raw: readonly string[],
  over: Readonly<Record<string, string>>,
): Record<string, string | string[]> {
  const replaced = new Map(Object.entries(over).map(([name, value]) => [name.toLowerCase(), value]))
  const pairs = raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ''] as const] : []))
  const connection = pairs.filter(([name]) => name === 'connection')
  // not split by a pattern: with as many spaces as a plugin may send, that takes a second
  const named = new Set(connection.flatMap(([, value]) => value.toLowerCase().split(',')).map((one) => one.trim()))
  const kept = new Map<string, string[]>()
  for (const [name, value] of pairs) {
    if (hopByHop.has(name) || named.has(name) || replaced.has(name)) continue
    kept.set(name, [...(kept.get(name) ?? []), value])
  }
  const single = [...kept].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values] as const)
  return Object.fromEntries([...single, ...replaced])
}

/**
 * How long the body of a request is, in the one form that every reader takes the same way; undefined where there is none.
 * Told with each request: Node sends the body of a GET without any, and the place would take it for the next request,
 * in which it would send back, or keep, the credentials of the one behind it.
 */
export function bodyFraming(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length } = headers
  if (encoding === undefined && length === undefined) return {}
  if (encoding === undefined) return length !== undefined && /^\d+$/.test(length) ? { 'content-length': length } : undefined
  return length === undefined && encoding.toLowerCase() === 'chunked' ? { 'transfer-encoding': 'chunked' } : undefined
}

/** What `Host` says of a place that HTTPS goes to. */
export function originOf({ text, port }: Authority): string {
  return port === 443 ? text.slice(0, -':443'.length) : text
}
