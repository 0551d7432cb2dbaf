import { backplaneErrors } from '../errors.ts'

/** Units of a duration, ms. */
const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time in RFC 3339, or so long ago, as a time in RFC 3339. */
export function timeAgo(text: string): string {
  const [, number, unit = ''] = /^(\d{1,6})([a-z])$/.exec(text) ?? []
  const agoMs = units[unit]
  if (agoMs !== undefined) return new Date(Date.now() - Number(number) * agoMs).toISOString()
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const atMs = isTime ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(atMs)) return new Date(atMs).toISOString()
  const reason = `${text} is neither so long ago (7d, 12h, 30m) nor a time such as 2026-11-01T00:00:00Z`
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
}

/** A whole number, not negative. */
export function count(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw backplaneErrors.error('BACKPLANE_USAGE', { reason: `${text} is no whole number` })
}
