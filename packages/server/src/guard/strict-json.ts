import { serverErrors } from '../errors.ts'

const refusedKeys = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Parses JSON as a careful reader would: nesting at most `depthLimit`, no key twice in one object (readers disagree on
 * which of them counts), no key that reaches a prototype.
 * Errors: `SERVER_BODY_INVALID`, `SERVER_BODY_TOO_DEEP`, `SERVER_BODY_KEY_REFUSED`.
 */
export function parseStrictJson(text: string, depthLimit: number): unknown {
  checkDepth(text, depthLimit)
  const value = parse(text)
  checkKeys(text)
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // V8 quotes the text around the place; the place is enough, and the text may hold a secret.
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const reason = position === undefined ? 'it ends too early or is not JSON at all' : `unexpected character at ${position}`
    throw serverErrors.error('SERVER_BODY_INVALID', { reason })
  }
}

// Before parsing, and by one pass over characters, because nothing is known of the text yet.
function checkDepth(text: string, limit: number): void {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index)
    if (inString) {
      if (character === 0x5c) index += 1
      else if (character === 0x22) inString = false
    } else if (character === 0x22) inString = true
    else if (character === 0x5b || character === 0x7b) {
      depth += 1
      if (depth > limit) throw serverErrors.error('SERVER_BODY_TOO_DEEP', { limit })
    } else if (character === 0x5d || character === 0x7d) depth -= 1
  }
}

// After parsing: the text is known to be JSON, so a string before a colon is a key and this pattern cannot backtrack far.
const token = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

function checkKeys(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let last = ''
  for (const [found] of text.matchAll(token)) {
    if (found === '{') open.push(new Set())
    else if (found === '[') open.push(undefined)
    else if (found === '}' || found === ']') open.pop()
    else if (found === ':') checkKey(String(JSON.parse(last)), open.at(-1))
    last = found
  }
}

function checkKey(key: string, seen: Set<string> | undefined): void {
  const reason = refusedKeys.has(key) ? 'is not allowed' : seen?.has(key) === true ? 'is given twice in one object' : undefined
  if (reason !== undefined) throw serverErrors.error('SERVER_BODY_KEY_REFUSED', { key: key.slice(0, 80), reason })
  seen?.add(key)
}
