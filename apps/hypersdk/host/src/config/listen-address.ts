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
