import Range from 'semver/classes/range.js'
import SemVer from 'semver/classes/semver.js'

/** Ranges and versions repeat from plugin to plugin and are slow to parse; so many are remembered. */
const mostRemembered = 10_000
/** Longer texts are neither looked into nor remembered: they come from strangers. */
const longest = 256
const ranges = new Map<string, Range | undefined>()
const versions = new Map<string, SemVer | undefined>()
const answers = new Map<string, boolean>()

/** Whether the text is a SemVer range at all. */
export function validRange(range: string): boolean {
  return remembered(ranges, range, () => new Range(range)) !== undefined
}

/** Whether a version lies within a range; never for a range or a version that is none. */
export function satisfies(version: string, range: string): boolean {
  const question = `${version} ${range}`
  const known = answers.get(question)
  if (known !== undefined) return known
  const answer = liesWithin(version, range)
  if (answers.size >= mostRemembered) answers.clear()
  if (question.length <= longest) answers.set(question, answer)
  return answer
}

function liesWithin(version: string, range: string): boolean {
  const parsedRange = remembered(ranges, range, () => new Range(range))
  const parsedVersion = remembered(versions, version, () => new SemVer(version))
  return parsedRange !== undefined && parsedVersion !== undefined && parsedRange.test(parsedVersion)
}

function remembered<T>(known: Map<string, T | undefined>, text: string, parse: () => T): T | undefined {
  if (text.length > longest) return undefined
  if (known.has(text)) return known.get(text)
  let parsed: T | undefined
  try {
    parsed = parse()
  } catch {
    parsed = undefined
  }
  if (known.size >= mostRemembered) known.clear()
  known.set(text, parsed)
  return parsed
}
