const secondsOrMs = /^\d{10}(\d{3})?(\.\d+)?$/
const withoutZone = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/

/**
 * A provider's time as RFC 3339 in UTC with milliseconds, or null when it cannot be told. Takes RFC 3339, ISO 8601
 * without a zone (read as UTC), RFC 1123, and seconds or milliseconds since the epoch. The zero times that Go and .NET
 * programs send for "never" are null.
 */
export function normaliseTime(time: string | null): string | null {
  const text = time?.trim() ?? ''
  if (text === '') return null
  const ms = secondsOrMs.test(text) ? epochMs(text) : Date.parse(withoutZone.test(text) ? `${text.replace(' ', 'T')}Z` : text)
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  return Number.isNaN(ms) || year <= 1 || year > 9999 ? null : date.toISOString()
}

function epochMs(text: string): number {
  const whole = text.split('.')[0] ?? ''
  return whole.length === 13 ? Number(text) : Number(text) * 1000
}
