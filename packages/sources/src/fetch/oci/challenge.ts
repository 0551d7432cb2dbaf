/** What a registry wants before it answers. */
export type Challenge =
  | { readonly kind: 'basic' }
  /** A token from `realm`, which is an address. */
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | undefined }

/**
 * Reads the first challenge that is understood. Source: RFC 9110 §11.6.1; OCI distribution, "Token Authentication". Undefined
 * when there is none.
 */
export function readChallenge(header: unknown): Challenge | undefined {
  if (typeof header !== 'string' || header.length > 4096) return undefined
  const [, scheme = '', rest = ''] = /^\s*([A-Za-z]+)\s*(.*)$/s.exec(header) ?? []
  if (scheme.toLowerCase() === 'basic') return { kind: 'basic' }
  if (scheme.toLowerCase() !== 'bearer') return undefined
  const parameters = new Map<string, string>()
  for (const [, name = '', quoted, plain] of rest.matchAll(/([A-Za-z_-]+)=(?:"([^"\\]*)"|([^\s",]+))/g)) {
    parameters.set(name.toLowerCase(), quoted ?? plain ?? '')
  }
  const realm = parameters.get('realm')
  return realm === undefined ? undefined : { kind: 'bearer', realm, service: parameters.get('service') }
}
