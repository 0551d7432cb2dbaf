import type { ConfigFile } from './config-file.ts'
import type { MappedText, Quoting } from './mapped-text.ts'
import { endOfSubstitution } from './shell-substitution.ts'
import { unclearAt } from './unclear-at.ts'

/** One word of a shell file. */
export interface ShellWord extends MappedText {
  /** Why its text is not what the shell makes of it, or shells do not agree about it. */
  readonly doubt: string | undefined
}

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
  readonly doubt: string | undefined
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

  /** Whether a sticky pattern matches here. */
  isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.at
    return pattern.test(this.file.text)
  }

  skip(pattern: RegExp): void {
    this.take(pattern)
  }

  unclear(position: number, reason: string): Error {
    return unclearAt(this.file, position, reason)
  }
}

/**
 * Reads one word as a shell would: quotes go, escapes count for what they stand for, continued lines join. References and
 * substitutions stay as they are written, so that whoever edits sees them. Errors: `CONFIG_UNCLEAR`.
 */
export function readWord(cursor: ShellCursor): ShellWord {
  const start = cursor.at
  const places: MappedText['places'][number][] = []
  let text = ''
  let originAt: number | undefined
  let doubt: string | undefined
  const add = (length: number, meant: string, quoting: Quoting): void => {
    places.push({ start: cursor.at, end: cursor.at + length, quoting })
    text += meant
    cursor.at += length
  }
  let quote: '"' | "'" | undefined
  while (!cursor.atEnd) {
    const character = cursor.peek() as string
    const next = cursor.file.text[cursor.at + 1]
    const quoting = quote === undefined ? 'own-quotes' : 'as-is'
    if (quote === undefined && cursor.isAt(/\$'[^']*\\'/y)) throw cursor.unclear(start, 'shells read these quotes differently')
    if (quote === undefined && /[ \t\n;()&|<>]/.test(character)) break
    if (quote === undefined) doubt ??= doubtOf(cursor)
    if (quote === character) {
      quote = undefined
      cursor.at++
    } else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character
      cursor.at++
      originAt ??= cursor.at
    } else if (quote !== "'" && character === '\\' && next === '\n') cursor.at += 2
    else if (quote !== "'" && character === '\\' && next !== undefined && (quote === undefined || '"\\$`'.includes(next))) {
      if (next === '$' || next === '`') doubt ??= dollar
      add(2, next, quoting)
    } else if (quote !== "'" && (character === '`' || (character === '$' && (next === '(' || next === '{')))) {
      const end = endOfSubstitution(cursor.file.text, cursor.at)
      if (end === undefined) throw cursor.unclear(cursor.at, 'a substitution is not closed')
      while (cursor.at < end) add(1, cursor.peek() as string, quoting)
    } else if (quote !== "'" && character === '$' && next === '$') {
      add(1, character, quoting)
      add(1, character, quoting)
    } else {
      if (quote === "'" && (character === '$' || character === '`')) doubt ??= dollar
      add(1, character, quoting)
    }
  }
  if (quote !== undefined) throw cursor.unclear(start, 'a quotation mark is not closed')
  if (text.includes('\r')) doubt ??= 'a carriage return stands in it, which a shell takes for a part of the value'
  const origin = { at: originAt ?? start, quoting: originAt === undefined ? ('own-quotes' as const) : ('as-is' as const) }
  return { text, places, origin, doubt }
}

const dollar = 'it holds a dollar sign or a backquote that stands for itself'

function doubtOf({ file: { text }, at }: ShellCursor): string | undefined {
  if (text[at] === '$' && /["']/.test(text[at + 1] ?? '')) return 'shells read these quotes differently'
  if (text[at] === '\\' && at + 1 === text.length) return 'a backslash ends the file'
  if (text[at] === '~' && /[=:]/.test(text[at - 1] ?? '')) return 'a tilde stands for a directory'
  return undefined
}

/** Reads an array from its opening parenthesis on. Errors: `CONFIG_UNCLEAR`. */
export function readArray(cursor: ShellCursor): ShellArray {
  const opening = cursor.at++
  const elements: ShellElement[] = []
  for (;;) {
    cursor.skip(/(?:[ \t\n]|#[^\n]*|\\\n)+/y)
    if (cursor.atEnd) throw cursor.unclear(opening, 'a parenthesis is not closed')
    if (cursor.peek() === ')') break
    const start = cursor.at
    const { text, doubt } = readWord(cursor)
    if (cursor.at === start) throw cursor.unclear(start, `"${cursor.peek()}" is not expected in a list`)
    const hasPlace = cursor.file.text[start] === '['
    elements.push({ text, start, end: cursor.at, doubt: hasPlace ? 'an element names its place in the list' : doubt })
  }
  const close = cursor.at++
  if (!cursor.atEnd && !cursor.isAt(/[ \t\n;&|)]/y)) throw cursor.unclear(close, 'something follows the parenthesis at once')
  return { open: opening + 1, close, elements }
}
