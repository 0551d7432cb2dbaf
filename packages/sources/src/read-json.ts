import { forbiddenKeys } from './json-problem.ts'

/**
 * Parses JSON that must mean the same to every reader: no duplicate keys, no keys that reach a prototype, bounded
 * nesting. Undefined when the text breaks a rule; `findJsonProblem` then says which and where.
 *
 * In valid JSON a string before a colon is a key, so a text with more of them than the value has keys holds a duplicate.
 */
export function readJson(text: string, maxDepth: number): { readonly value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return countKeys(value, maxDepth) === countColons(text) ? { value } : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error === refused) return undefined
    throw error
  }
}

const refused = new Error('refused')

function countKeys(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depthLeft === 0) throw refused
  let keys = 0
  if (Array.isArray(value)) {
    for (const member of value) if (typeof member === 'object') keys += countKeys(member, depthLeft - 1)
    return keys
  }
  for (const [key, member] of Object.entries(value)) {
    if (forbiddenKeys.has(key)) throw refused
    keys += 1
    if (typeof member === 'object') keys += countKeys(member, depthLeft - 1)
  }
  return keys
}

/** Strings that a colon follows. */
function countColons(text: string): number {
  let keys = 0
  let start = text.indexOf('"')
  while (start !== -1) {
    let at = closingQuote(text, start) + 1
    while (isSpace(text.charCodeAt(at))) at += 1
    if (text[at] === ':') keys += 1
    start = text.indexOf('"', at)
  }
  return keys
}

function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (text[end - 1] === '\\' && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether an odd number of backslashes precedes `at`. */
function isEscaped(text: string, at: number): boolean {
  let before = at
  while (text[before - 1] === '\\') before -= 1
  return (at - before) % 2 === 1
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
