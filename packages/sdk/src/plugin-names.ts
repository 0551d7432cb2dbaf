/** Which plugins may run, by name: ids, the part of an id after the slash, `publisher/*`, or `*` for all. */
export interface NameLists {
  /** When given, only these. Wins over `deny`. */
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
}

/**
 * Whether a plugin may run at all; a refusal's reason is for people. The one reading of such lists: the kernel, the verdict
 * on packages and advisories use it, so that a name means the same everywhere.
 */
export function mayRun(
  id: string,
  { allow, deny }: NameLists,
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  if (allow !== undefined) return isNamed(id, allow) ? { ok: true } : { ok: false, reason: 'it is not on the allow-list' }
  if (deny !== undefined && isNamed(id, deny)) return { ok: false, reason: 'it is on the deny-list' }
  return { ok: true }
}

/** Whether one of the names means this plugin; upper and lower case differ, as in ids. */
export function isNamed(id: string, names: readonly string[]): boolean {
  const slash = id.indexOf('/')
  return [id, id.slice(slash + 1), `${id.slice(0, Math.max(slash, 0))}/*`, '*'].some((name) => names.includes(name))
}
