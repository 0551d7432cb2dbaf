import Range from 'semver/classes/range.js'
import SemVer from 'semver/classes/semver.js'

/** Ranges repeat from plugin to plugin and are slow to parse. */
const ranges = new Map<string, Range | undefined>()
const mostRanges = 10_000

function parse(range: string): Range | undefined {
  if (ranges.has(range)) return ranges.get(range)
  let parsed: Range | undefined
  try {
    parsed = new Range(range)
  } catch {
    parsed = undefined
  }
  if (ranges.size >= mostRanges) ranges.clear()
  ranges.set(range, parsed)
  return parsed
}

/** Whether the text is a SemVer range at all. */
export function validRange(range: string): boolean {
  return parse(range) !== undefined
}

/** Whether a version lies within a range; never for a range that is none. */
export function satisfies(version: string, range: string): boolean {
  const parsed = parse(range)
  if (parsed === undefined) return false
  try {
    return parsed.test(new SemVer(version))
  } catch {
    return false
  }
}
