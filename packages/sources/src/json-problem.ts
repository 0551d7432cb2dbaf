import { printParseErrorCode, visit } from 'jsonc-parser'

/** What is wrong with a JSON text, and where; line and column count from 1. */
export interface JsonProblem {
  readonly problem: string
  readonly line: number
  readonly column: number
}

/** Keys that mean something to every JavaScript object; nothing good is ever called that. */
export const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Finds the first problem of a text that {@link readJson} refused. Slow and exact; only for messages. */
export function findJsonProblem(text: string, maxDepth: number): JsonProblem | undefined {
  if (text.startsWith('\u{FEFF}')) return { problem: 'the file begins with a byte order mark', line: 1, column: 1 }
  return findDepth(text, maxDepth) ?? findKeyOrSyntax(text)
}

/** Before anything recursive touches the text. */
function findDepth(text: string, maxDepth: number): JsonProblem | undefined {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') at = endOfString(text, at)
    else if (character === '}' || character === ']') depth -= 1
    else if (character === '{' || character === '[') {
      depth += 1
      if (depth > maxDepth) return { problem: `values are nested more than ${maxDepth} deep`, ...place(text, at) }
    }
  }
  return undefined
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

function findKeyOrSyntax(text: string): JsonProblem | undefined {
  let first: (JsonProblem & { readonly offset: number }) | undefined
  const found = (problem: string, offset: number, line: number, column: number): void => {
    if (first === undefined || offset < first.offset) first = { problem, offset, line: line + 1, column: column + 1 }
  }
  const open: Set<string>[] = []
  visit(
    text,
    {
      onObjectBegin: () => void open.push(new Set()),
      onObjectEnd: () => void open.pop(),
      onObjectProperty: (...[key, offset, , line, column]) => {
        const keys = open.at(-1)
        if (forbiddenKeys.has(key)) found(`the key "${key}" is not allowed`, offset, line, column)
        else if (keys?.has(key) === true) found(`the key "${key}" appears twice in one object`, offset, line, column)
        keys?.add(key)
      },
      onError: (...[code, offset, , line, column]) => found(say(printParseErrorCode(code)), offset, line, column),
    },
    { disallowComments: true },
  )
  return first
}

/** `CommaExpected` → `comma expected`. */
function say(code: string): string {
  return code.replaceAll(/(?<=[a-z])([A-Z])/g, ' $1').toLowerCase()
}

function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
