import { digestAside } from '../digest-aside.ts'

/** The one SHA-512 of a Subresource Integrity text, as `sha512-…`; undefined where there is none, or more than one. */
export function sha512In(integrity: unknown): string | undefined {
  if (typeof integrity !== 'string' || integrity.length > 4_096) return undefined
  const found = new Set(
    integrity
      .trim()
      .split(/\s+/)
      .flatMap((one) => /^(sha512-[A-Za-z0-9+/]{86}==)(?:\?.*)?$/.exec(one)?.[1] ?? []),
  )
  const [first] = found
  return found.size === 1 ? first : undefined
}

/** The integrity of bytes, as npm writes it. Source: W3C Subresource Integrity §3.1. */
export async function integrityOf(bytes: Uint8Array): Promise<string> {
  return `sha512-${(await digestAside('SHA-512', bytes)).toString('base64')}`
}
