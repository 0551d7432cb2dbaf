import type { StrictJson } from '@backplane/sdk/strict-json'
import { printParseErrorCode, visit } from 'jsonc-parser'

/** What is wrong with a JSON text, and where; line and column count from 1. */
export interface JsonProblem {
  readonly problem: string
  readonly line: number
  readonly column: number
}

/** Says of a flaw of a text what and where it is. */
export function jsonProblem(text: string, flaw: Exclude<StrictJson, { kind: 'value' }>): JsonProblem {
  switch (flaw.kind) {
    case 'too-deep':
      return { problem: `values are nested more than ${flaw.limit} deep`, ...place(text, flaw.offset) }
    case 'forbidden-key':
      return { problem: `the key "${flaw.key}" is not allowed`, ...place(text, flaw.offset) }
    case 'repeated-key':
      return { problem: `the key "${flaw.key}" appears twice in one object`, ...place(text, flaw.offset) }
    case 'syntax':
      return syntaxProblem(text)
  }
}

/** By a parser that says where it stumbled; `JSON.parse` often does not. */
function syntaxProblem(text: string): JsonProblem {
  if (text.startsWith('\u{FEFF}')) return { problem: 'the file begins with a byte order mark', line: 1, column: 1 }
  let first: JsonProblem | undefined
  visit(
    text,
    { onError: (...[code, , , line, column]) => (first ??= { problem: say(code), line: line + 1, column: column + 1 }) },
    { disallowComments: true },
  )
  return first ?? { problem: 'the file is not valid JSON', line: 1, column: 1 }
}

/** `CommaExpected` → `comma expected`. */
function say(code: Parameters<typeof printParseErrorCode>[0]): string {
  return printParseErrorCode(code)
    .replaceAll(/(?<=[a-z])([A-Z])/g, ' $1')
    .toLowerCase()
}

function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
