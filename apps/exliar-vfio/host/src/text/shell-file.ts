import { exliarErrors } from '../errors.ts'
import type { ConfigFile } from './config-file.ts'
import type { MappedText } from './mapped-text.ts'
import { readArray, readWord, ShellCursor, type ShellArray } from './shell-word.ts'
import { lineAt } from './splice.ts'

/** One assignment of a shell configuration file. */
export interface Assignment {
  readonly file: ConfigFile
  readonly name: string
  /** `+=` */
  readonly appends: boolean
  /** Position of its name. */
  readonly start: number
  readonly value: { readonly kind: 'word'; readonly text: MappedText } | ({ readonly kind: 'array' } & ShellArray)
  /** Why it cannot be edited: it is only made sometimes, or its value is computed. */
  readonly unclear: string | undefined
}

const opening = /^(if|case|for|while|until|\{|function)\b|\(\)\s*\{?$/
const whole = /[\s;](fi|esac|done|\})\s*$/
const closing = /^(fi|esac|done|\})/

/**
 * The assignments of the names in a shell file that is meant to be read as configuration. Everything else in it is passed
 * over; where a name is used in a way that is no plain assignment, that is `CONFIG_UNCLEAR`.
 */
export function readAssignments(file: ConfigFile, names: readonly string[]): readonly Assignment[] {
  const found: Assignment[] = []
  const cursor = new ShellCursor(file)
  let depth = 0
  while (!cursor.atEnd) {
    cursor.skip(/[ \t\r\n;]+/y)
    const start = cursor.at
    const match = cursor.take(/(?:export[ \t]+)?([A-Za-z_]\w*(?:\[[^\]\n]*\])?)(\+?=)/y)
    if (match === undefined) {
      const statement = cursor.take(/[^\n]*/y)?.[0] ?? ''
      if (closing.test(statement)) depth = Math.max(0, depth - 1)
      else if (opening.test(statement) && !whole.test(statement)) depth++
      if (!statement.startsWith('#')) refuseMention(file, start, { statement, names })
      continue
    }
    const [, name = '', operator] = match
    const wanted = names.includes(name)
    const value = readValue(cursor)
    const follows = cursor.take(/[ \t]*(#[^\n]*)?(?=[\n;\r]|$)/y)
    if (follows === undefined) {
      const statement = cursor.take(/[^\n]*/y)?.[0] ?? ''
      refuseMention(file, start, { statement: `${wanted ? name : ''}${statement}`, names })
      continue
    }
    if (!wanted) continue
    const unclear = depth > 0 ? `${name} is set under a condition` : unclearValue(value, name)
    found.push({ file, name, appends: operator === '+=', start, value, unclear })
  }
  return found
}

/** Refuses to go on because of one assignment. */
export function refuseAssignment({ file, start }: Assignment, reason: string): Error {
  return exliarErrors.error('CONFIG_UNCLEAR', { path: file.path, line: lineAt(file.text, start), reason })
}

/** The assignment that counts, and those that add to it; what came before has no effect. Errors: `CONFIG_UNCLEAR`. */
export function effective(assignments: readonly Assignment[], name: string): readonly Assignment[] {
  const own = assignments.filter((assignment) => assignment.name === name)
  const base = own.findLastIndex((assignment) => !assignment.appends && !refersToItself(assignment))
  const chain = own.slice(Math.max(0, base))
  for (const assignment of chain) {
    if (assignment.unclear !== undefined) throw refuseAssignment(assignment, assignment.unclear)
  }
  return chain
}

function readValue(cursor: ShellCursor): Assignment['value'] {
  return cursor.peek() === '(' ? { kind: 'array', ...readArray(cursor) } : { kind: 'word', text: readWord(cursor) }
}

function refersToItself({ name, value }: Assignment): boolean {
  const texts = value.kind === 'word' ? [value.text.text] : value.elements.map(({ text }) => text)
  return texts.some((text) => references(text).includes(name))
}

function unclearValue(value: Assignment['value'], name: string): string | undefined {
  const texts = value.kind === 'word' ? [value.text.text] : value.elements.map(({ text }) => text)
  const computed = texts.some((text) => text.includes('`') || references(text).some((reference) => reference !== name))
  return computed ? `the value of ${name} is computed` : undefined
}

function references(text: string): readonly string[] {
  const plain = /\$(?:\{(\w+)(?:\[@\])?\}|(\w+))/g
  const found = [...text.matchAll(plain)].map(([, braced, bare]) => braced ?? bare ?? '')
  return text.replaceAll(plain, '').includes('$') ? [...found, '?'] : found
}

interface Mention {
  readonly statement: string
  readonly names: readonly string[]
}

function refuseMention(file: ConfigFile, start: number, { statement, names }: Mention): void {
  const name = names.find((candidate) => statement.includes(`${candidate}=`) || statement.startsWith(candidate))
  if (name === undefined) return
  const reason = `${name} stands in something other than a plain assignment`
  throw exliarErrors.error('CONFIG_UNCLEAR', { path: file.path, line: lineAt(file.text, start), reason })
}
