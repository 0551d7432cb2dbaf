import type { CodeFinding } from './code-findings.ts'

/** Turn the order of what one reads round. */
const bidirectional = /[\u202A-\u202E\u2066-\u2069]/gu
/** Take no place and mean nothing, or look like a space and are part of a name. */
const invisible =
  /\u180E|[\u200B\u2060-\u2064]|\uFEFF|[\u115F\u1160]|\u3164|\uFFA0|[\u{E0000}-\u{E007F}]|[\u{E0100}-\u{E01EF}]|\p{Variation_Selector}{2,}/gu
/** Joiners, which some scripts and faces need, between letters that need none. */
const joiners = /(?<=[\w$])[\u200C\u200D]+(?=[\w$])/gu
/** Letters and signs written as their numbers, which no tool has a reason to do. */
const escapedLetters = /\\x[2-7][0-9a-f]|\\u00[2-7][0-9a-f]|\\u\{0*[2-7][0-9a-f]\}/giu
const mostEscapedLetters = 64

/** What shows in the text of a file without reading it as a program. */
export function readText(source: string): readonly CodeFinding[] {
  return [...hiddenCharacters(source), ...escapes(source), ...packedLines(source), ...signsOnly(source)]
}

/** Characters that nobody sees. A byte order mark at the beginning is none. */
export function hiddenCharacters(source: string): readonly CodeFinding[] {
  const found: CodeFinding[] = []
  for (const pattern of [bidirectional, invisible, joiners]) {
    for (const { index, 0: text } of source.matchAll(pattern)) {
      if (index === 0 && text === '\uFEFF') continue
      const code = (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
      found.push({ rule: 'static/hidden-unicode', what: `U+${code}`, offset: index })
      if (found.length >= 64) return found
    }
  }
  return found
}

function escapes(source: string): readonly CodeFinding[] {
  let count = 0
  for (const { index } of source.matchAll(escapedLetters)) {
    count += 1
    if (count === mostEscapedLetters) return [{ rule: 'static/obfuscated', what: 'letters written as numbers', offset: index }]
  }
  return []
}

/** Minified code repeats itself more than encoded or encrypted data does: about 5 bits a character against 6. */
const longLine = 4096
const mostBits = 5.7

function packedLines(source: string): readonly CodeFinding[] {
  const found: CodeFinding[] = []
  for (let start = 0; start < source.length;) {
    const newline = source.indexOf('\n', start)
    const end = newline === -1 ? source.length : newline
    if (end - start >= longLine && bitsPerCharacter(source, start, end) > mostBits) {
      found.push({ rule: 'static/encoded-data', what: `${end - start} characters`, offset: start })
    }
    start = end + 1
  }
  return found
}

/** Source: C. E. Shannon, A Mathematical Theory of Communication, 1948. */
function bitsPerCharacter(source: string, start: number, end: number): number {
  const counts = new Map<number, number>()
  for (let at = start; at < end; at += 1) {
    const code = source.charCodeAt(at)
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  let bits = 0
  for (const count of counts.values()) bits -= (count / (end - start)) * Math.log2(count / (end - start))
  return bits
}

/** Programs can be written with six signs alone. */
function signsOnly(source: string): readonly CodeFinding[] {
  if (source.length < 1000) return []
  let signs = 0
  for (const character of source) if ('[]()!+'.includes(character)) signs += 1
  return signs > source.length * 0.8 ? [{ rule: 'static/obfuscated', what: 'written with signs alone', offset: 0 }] : []
}
