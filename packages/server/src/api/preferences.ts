/** What a `Prefer` header asks for, as far as it is honoured. */
export interface Preferences {
  readonly respondAsync: boolean
  /** Longest the caller likes to wait. */
  readonly waitSeconds: number | undefined
}

/** Reads it; what is not understood is ignored, as it must be. Source: RFC 7240 §2. */
export function preferences(header: string | undefined): Preferences {
  const given = (header ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.split(';')[0]?.trim() ?? '')
  const wait = given.map((one) => /^wait\s*=\s*"?(\d{1,6})"?$/.exec(one)?.[1]).find((seconds) => seconds !== undefined)
  return { respondAsync: given.includes('respond-async'), waitSeconds: wait === undefined ? undefined : Number(wait) }
}
