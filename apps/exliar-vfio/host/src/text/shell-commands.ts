import type { ConfigFile } from './config-file.ts'
import type { Assignment } from './shell-file.ts'
import { readArray, readWord, ShellCursor } from './shell-word.ts'

/** One simple command of a shell file: what it assigns and its words. */
export interface ShellCommand {
  readonly assignments: readonly (Pick<Assignment, 'name' | 'appends' | 'start' | 'value'> & { readonly end: number })[]
  readonly words: readonly { readonly text: string; readonly start: number; readonly end: number }[]
  /** It is carried out once, whatever else happens, in the shell that reads the file. */
  readonly isPlain: boolean
  readonly isInFunction: boolean
}

type Mutable<Item> = { -readonly [Key in keyof Item]: Item[Key] extends readonly (infer Element)[] ? Element[] : Item[Key] }
type Compound = 'if' | 'do' | 'case' | '{' | '(' | 'function'

/** Words that open a compound command, and those that lead to one that is opened by another. */
const openers: Readonly<Record<string, Compound>> = { if: 'if', do: 'do', '{': '{', case: 'case' }
const leading = new Set(['then', 'else', 'elif', 'while', 'until', '!', 'time'])
const closers: Readonly<Record<string, Compound>> = { fi: 'if', done: 'do', esac: 'case', '}': '{' }

/**
 * The commands of a shell file in order. What stands in substitutions is not looked into: it changes nothing outside.
 * Errors: `CONFIG_UNCLEAR`.
 */
export function readCommands(file: ConfigFile): readonly ShellCommand[] {
  return new CommandReader(file).read()
}

class CommandReader {
  readonly #cursor: ShellCursor
  readonly #commands: ShellCommand[] = []
  readonly #open: Compound[] = []
  readonly #documents: { end: string; indented: boolean }[] = []
  #command: Mutable<Pick<ShellCommand, 'assignments' | 'words'>> = { assignments: [], words: [] }
  #before = '\n'
  /** A name and its parentheses stood here: the next compound command is a function's. */
  #isNamed = false

  constructor(file: ConfigFile) {
    this.#cursor = new ShellCursor(file)
  }

  read(): readonly ShellCommand[] {
    const cursor = this.#cursor
    for (;;) {
      cursor.skip(/(?:[ \t]|\\\n)+/y)
      cursor.skip(/#[^\n]*/y)
      if (cursor.atEnd) break
      const [operator] = cursor.take(/\n|;;&|;;|;&|;|&&|&>>?|&|\|\||\|&?|<<<|<<-?|[<>]\(|[<>][<>&|]?|[()]/y) ?? []
      if (operator === undefined) this.#readWord()
      else this.#operate(operator)
    }
    this.#finish('\n')
    if (this.#open.length > 0 || this.#documents.length > 0) throw cursor.unclear(cursor.at, 'what was begun does not end')
    return this.#commands
  }

  #operate(operator: string): void {
    const { words } = this.#command
    if (operator.startsWith('<<') && operator !== '<<<') return this.#readDocumentMark(operator)
    if (/^(?:[<>][^(]?|&>>?|<<<)$/.test(operator)) return
    if (operator === '(' && words.length > 0 && this.#cursor.take(/[ \t]*\)/y) !== undefined) {
      this.#isNamed = true
      return this.#finish('(')
    }
    this.#finish(operator)
    if (operator.endsWith('(')) this.#push('(')
    else if (operator === ')' && this.#open.at(-1) !== 'case') this.#pop('(')
    if (operator === '\n') for (const document of this.#documents.splice(0)) this.#skipDocument(document)
  }

  #readWord(): void {
    const cursor = this.#cursor
    const { words, assignments } = this.#command
    const start = cursor.at
    if (words.length === 0 || words[0]?.text === 'export') {
      const match = cursor.take(/([A-Za-z_]\w*(?:\[[^\]\n]*\])?)(\+?=)/y)
      if (match !== undefined) {
        const value: Assignment['value'] =
          cursor.peek() === '(' ? { kind: 'array', ...readArray(cursor) } : { kind: 'word', text: readWord(cursor) }
        const { 1: name = '', 2: operator } = match
        assignments.push({ name, appends: operator === '+=', start, value, end: cursor.at })
        return
      }
    }
    const { text } = readWord(cursor)
    if (cursor.at === start) throw cursor.unclear(start, `"${cursor.peek()}" is not expected here`)
    const isFirst = words.length === 0 && assignments.length === 0
    if (isFirst && this.#isReserved(cursor.file.text.slice(start, cursor.at), start)) return
    words.push({ text, start, end: cursor.at })
    if (words[0]?.text === 'function' && words.length === 2) {
      this.#isNamed = true
      cursor.skip(/[ \t]*\([ \t]*\)/y)
      this.#finish('(')
    }
  }

  #isReserved(word: string, start: number): boolean {
    const opened = Object.hasOwn(openers, word) ? openers[word] : undefined
    const closed = Object.hasOwn(closers, word) ? closers[word] : undefined
    if (opened === undefined && closed === undefined && !leading.has(word)) return false
    this.#before = word
    if (opened !== undefined) this.#push(opened)
    if (closed !== undefined) this.#pop(closed, start)
    return true
  }

  #push(compound: Compound): void {
    this.#open.push(this.#isNamed ? 'function' : compound)
    this.#isNamed = false
  }

  #pop(compound: Compound, at = this.#cursor.at): void {
    const opened = this.#open.pop()
    if (opened !== compound && opened !== 'function') throw this.#cursor.unclear(at, 'what ends here was not begun')
  }

  #finish(after: string): void {
    const { assignments, words } = this.#command
    const isAlone = /^[\n;]$/.test(this.#before) && /^[\n;]$/.test(after)
    const isInFunction = this.#open.includes('function')
    if (assignments.length > 0 || words.length > 0) {
      this.#commands.push({ assignments, words, isPlain: isAlone && this.#open.length === 0, isInFunction })
    } else if (after === '\n' && /^[&|]/.test(this.#before)) return
    this.#command = { assignments: [], words: [] }
    this.#before = after
  }

  #readDocumentMark(operator: string): void {
    this.#cursor.skip(/[ \t]+/y)
    this.#documents.push({ end: readWord(this.#cursor).text, indented: operator === '<<-' })
  }

  #skipDocument({ end, indented }: { end: string; indented: boolean }): void {
    while (!this.#cursor.atEnd) {
      const line = this.#cursor.take(/([^\n]*)\n?/y)?.[1] ?? ''
      if ((indented ? line.replace(/^\t+/, '') : line) === end) return
    }
    throw this.#cursor.unclear(this.#cursor.at, `"${end}" does not follow`)
  }
}
