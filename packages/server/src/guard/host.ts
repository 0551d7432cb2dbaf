import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'

const loopbackNames = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Exactly one Host header, and one of ours: a web page that lets its own name point at 127.0.0.1 (DNS rebinding) sends
 * its own name. A target in absolute form must name the same host. Source: RFC 9112 §3.2.
 */
export function checkHost(peer: Peer, extra: readonly string[]): void {
  const [host, ...more] = peer.hosts
  if (host === undefined || more.length > 0 || !allowedHosts(peer, extra).includes(host.toLowerCase())) refuse()
  if (!peer.target.startsWith('/') && URL.parse(peer.target)?.host !== host.toLowerCase()) refuse()
}

/** Names this server answers to, with the port unless it is the default one. */
export function allowedHosts(peer: Peer, extra: readonly string[]): readonly string[] {
  const own = peer.localPort === undefined || peer.localPort === (peer.secure ? 443 : 80) ? loopbackNames : []
  const withPort = peer.localPort === undefined ? [] : loopbackNames.map((name) => `${name}:${peer.localPort}`)
  return [...own, ...withPort, ...extra.map((name) => name.toLowerCase())]
}

function refuse(): never {
  throw serverErrors.error('SERVER_HOST_REFUSED')
}
