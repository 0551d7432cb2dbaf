import { exliarErrors } from '../errors.ts'
import type { ConfigFile } from './config-file.ts'
import type { MappedText, Quoting } from './mapped-text.ts'
import { lineAt } from './splice.ts'

/** A shell array: where its elements begin and end, and each of them. */
export interface ShellArray {
  /** Behind the opening parenthesis. */
  readonly open: number
  /** Before the closing one. */
  readonly close: number
  readonly elements: readonly ShellElement[]
}

/** One element of an array; `start` and `end` enclose its quotes. */
export interface ShellElement {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** A place in a shell file that moves forward. */
export class ShellCursor {
  readonly file: ConfigFile
  at = 0

  constructor(file: ConfigFile) {
    this.file = file
  }

  get atEnd(): boolean {
    return this.at >= this.file.text.length
  }

  peek(): string | undefined {
    return this.file.text[this.at]
  }

  /** What a sticky pattern matches here; undefined, and no move, when it does not. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at
    const match = pattern.exec(this.file.text)
    if (match === null) return undefined
    this.at = pattern.lastIndex
    return match
  }

  skip(pattern: RegExp): void {
    this.take(pattern)
  }

  unclear(position: number, reason: string): Error {
    return exliarErrors.error('CONFIG_UNCLEAR', { path: this.file.path, line: lineAt(this.file.text, position), reason })
  }
}

/**
 * Reads one word as a shell would: quotes go, escapes count for what they stand for, continued lines join. References and
 * substitutions stay as they are written, so that whoever edits sees them. Errors: `CONFIG_UNCLEAR`.
 */
export function readWord(cursor: ShellCursor): MappedText {
  const start = cursor.at
  const places: MappedText['places'][number][] = []
  let text = ''
  let originAt: number | undefined
  const add = (length: number, meant: string, quoting: Quoting): void => {
    for (const character of meant) {
      places.push({ start: cursor.at, end: cursor.at + length, quoting })
      text += character
    }
    cursor.at += length
  }
  let quote: '"' | "'" | undefined
  while (!cursor.atEnd) {
    const character = cursor.peek() as string
    const next = cursor.file.text[cursor.at + 1]
    const quoting = quote === undefined ? 'own-quotes' : 'as-is'
    if (quote === undefined && /[\s;#()&|<>]/.test(character) && !(character === '#' && text !== '')) break
    if (quote === character) {
      quote = undefined
      cursor.at++
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character
      cursor.at++
      originAt ??= cursor.at
    } else if (quote !== "'" && character === '\\' && next === '\n') cursor.at += 2
    else if (quote !== "'" && character === '\\' && next !== undefined && (quote === undefined || '"\\$`'.includes(next))) {
      add(2, next, quoting)
    } else if (quote !== "'" && (character === '`' || (character === '$' && next === '('))) {
      addAsWritten(cursor, { add, quoting })
    } else add(1, character, quoting)
  }
  if (quote !== undefined) throw cursor.unclear(start, 'a quotation mark is not closed')
  const origin = { at: originAt ?? start, quoting: originAt === undefined ? ('own-quotes' as const) : ('as-is' as const) }
  return { text, places, origin }
}

interface Adding {
  readonly add: (length: number, meant: string, quoting: Quoting) => void
  readonly quoting: Quoting
}

/** A substitution, up to its end. */
function addAsWritten(cursor: ShellCursor, { add, quoting }: Adding): void {
  const { text } = cursor.file
  const start = cursor.at
  let end = start + 1
  if (text[start] === '`') end = text.indexOf('`', start + 1) + 1
  else {
    for (let depth = 0; end < text.length; end++) {
      if (text[end] === '(') depth++
      if (text[end] === ')' && --depth === 0) break
    }
    end = end < text.length ? end + 1 : 0
  }
  if (end === 0) throw cursor.unclear(start, 'a substitution is not closed')
  while (cursor.at < end) add(1, text[cursor.at] as string, quoting)
}

/** Reads an array from its opening parenthesis on. Errors: `CONFIG_UNCLEAR`. */
export function readArray(cursor: ShellCursor): ShellArray {
  const opening = cursor.at++
  const elements: ShellElement[] = []
  for (;;) {
    cursor.skip(/(?:\s|#[^\n]*|\\\n)+/y)
    if (cursor.atEnd) throw cursor.unclear(opening, 'a parenthesis is not closed')
    if (cursor.peek() === ')') break
    const start = cursor.at
    const { text } = readWord(cursor)
    if (cursor.at === start) throw cursor.unclear(start, `"${cursor.peek()}" is not expected in a list`)
    elements.push({ text, start, end: cursor.at })
  }
  return { open: opening + 1, close: cursor.at++, elements }
}
