/** Keys that mean something to every JavaScript object; nothing good is ever called that. */
export const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** A value, or the first thing that is wrong with its text. `offset` counts UTF-16 units of the text. */
export type StrictJson =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'too-deep'; readonly limit: number; readonly offset: number }
  | { readonly kind: 'forbidden-key' | 'repeated-key'; readonly key: string; readonly offset: number }
  /** `error` is what `JSON.parse` threw; it may quote the text. */
  | { readonly kind: 'syntax'; readonly error: SyntaxError }

/**
 * Parses JSON that must mean the same to every reader: no key twice in one object (readers disagree on which of them
 * counts), no key that reaches a prototype, objects and arrays nested at most `depthLimit` deep. Good text is read about
 * as fast as `JSON.parse` reads it.
 */
export function parseStrictJson(text: string, depthLimit: number): StrictJson {
  let value: unknown
  let syntaxError: SyntaxError | undefined
  try {
    value = JSON.parse(text)
    // In valid JSON a string before a colon is a key: a text with more of them than the value has keys repeats one.
    if (countKeys(value, depthLimit) === countColons(text)) return { kind: 'value', value }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    syntaxError = error
  }
  const depthOffset = findDepth(text, depthLimit)
  if (depthOffset !== undefined) return { kind: 'too-deep', limit: depthLimit, offset: depthOffset }
  if (syntaxError !== undefined) return { kind: 'syntax', error: syntaxError }
  return findKey(text) ?? { kind: 'value', value }
}

/** Keys of a value and of all in it; NaN, which equals no number, when one is forbidden or the value is too deep. */
function countKeys(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depthLeft === 0) return NaN
  let keys = 0
  if (Array.isArray(value)) {
    for (const member of value) if (typeof member === 'object') keys += countKeys(member, depthLeft - 1)
    return keys
  }
  for (const [key, member] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) return NaN
    keys += 1
    if (typeof member === 'object') keys += countKeys(member, depthLeft - 1)
  }
  return keys
}

/** Strings that a colon follows, in valid JSON. */
function countColons(text: string): number {
  let keys = 0
  let start = text.indexOf('"')
  while (start !== -1) {
    const end = closingQuote(text, start)
    if (isKey(text, end)) keys += 1
    start = text.indexOf('"', end + 1)
  }
  return keys
}

/** Where the first value is that is nested too deep; also of text that is no JSON. */
function findDepth(text: string, limit: number): number | undefined {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') at = closingQuote(text, at)
    else if (character === '}' || character === ']') depth -= 1
    else if (character === '{' || character === '[') {
      depth += 1
      if (depth > limit) return at
    }
  }
  return undefined
}

/** The first key, in valid JSON, that is forbidden or repeated. */
function findKey(text: string): StrictJson | undefined {
  const open: Set<string>[] = []
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '{' || character === '[') open.push(new Set())
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = closingQuote(text, at)
      const keys = open.at(-1)
      if (keys !== undefined && isKey(text, end)) {
        const key = String(JSON.parse(text.slice(at, end + 1)))
        if (forbiddenKeys.has(key)) return { kind: 'forbidden-key', key, offset: at }
        if (keys.has(key)) return { kind: 'repeated-key', key, offset: at }
        keys.add(key)
      }
      at = end
    }
  }
  return undefined
}

/** Where the string that starts at `start` ends; the end of the text when it does not. */
function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && text[end - 1] === '\\' && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end
}

/** Whether an odd number of backslashes precedes `at`. */
function isEscaped(text: string, at: number): boolean {
  let before = at
  while (text[before - 1] === '\\') before -= 1
  return (at - before) % 2 === 1
}

/** Whether a colon follows the string that ends at `end`. */
function isKey(text: string, end: number): boolean {
  let at = end + 1
  while (isSpace(text.charCodeAt(at))) at += 1
  return text[at] === ':'
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
