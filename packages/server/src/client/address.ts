/** How a host is reached: by its unix socket, or by a URL with a bearer token; with an empty one none is sent. */
export type Address =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'url'; readonly url: URL; readonly token: string }

/** As one would name it to a person. */
export function addressText(address: Address): string {
  return address.kind === 'socket' ? address.path : address.url.origin
}
