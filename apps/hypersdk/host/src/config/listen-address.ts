import { isLoopback } from '@backplane/server'

/** What is wrong with an address to listen on, with or without TLS, for people; undefined when nothing is. */
export function listenProblem(text: string, tls: boolean): string | undefined {
  const address = parseListenAddress(text)
  if (address === null) return 'must be an address with a port, such as 127.0.0.1:8080'
  if (tls || isLoopback(address.host)) return undefined
  return 'must be a loopback address, because server.tls names no certificate: what other machines reach must speak TLS'
}

/**
 * Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `:8080` (loopback). Null when it is none; port 0 lets the
 * system choose.
 */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } | null {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) return null
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port }
}
