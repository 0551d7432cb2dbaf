import type { ConfigFile } from './config-file.ts'
import { readCommands, type ShellCommand } from './shell-commands.ts'
import { changesName } from './shell-mention.ts'
import type { ShellArray, ShellWord } from './shell-word.ts'
import { unclearAt } from './unclear-at.ts'

/** One assignment of a shell configuration file. */
export interface Assignment {
  readonly file: ConfigFile
  readonly name: string
  /** `+=` */
  readonly appends: boolean
  /** Position of its name. */
  readonly start: number
  readonly value: { readonly kind: 'word'; readonly text: ShellWord } | ({ readonly kind: 'array' } & ShellArray)
  /** Why it cannot be edited: it is only made sometimes, or its value is computed. */
  readonly unclear: string | undefined
}

/** What makes a file say more than stands in it. */
const reading = new Set(['.', 'source', 'eval'])
/** After these the rest of a file counts only sometimes. */
const leaving = new Set(['return', 'exit'])

/**
 * The assignments of the names in a shell file that is meant to be read as configuration. Everything else in it is passed
 * over; where a name is used in a way that is no plain assignment, that is `CONFIG_UNCLEAR`.
 */
export function readAssignments(file: ConfigFile, names: readonly string[]): readonly Assignment[] {
  const found: Assignment[] = []
  let left = false
  for (const command of readCommands(file)) {
    refuseOther(file, command, names)
    if (leaving.has(command.words[0]?.text ?? '') && !command.isInFunction) left = true
    for (const { name, appends, start, value } of command.assignments) {
      if (!names.includes(name)) continue
      const sometimes = left || !command.isPlain
      const unclear = sometimes ? `${name} is set under a condition` : unclearValue({ name, appends, value })
      found.push({ file, name, appends, start, value, unclear })
    }
  }
  return found
}

/** A file with one more line at its end. Errors: `CONFIG_UNCLEAR` where a line there would not always count. */
export function appendedLine(file: ConfigFile, name: string): { readonly at: number; readonly gap: string } {
  const gap = file.text === '' || file.text.endsWith('\n') ? '' : '\n'
  const after = readAssignments({ ...file, text: `${file.text}${gap}${name}=` }, [name]).at(-1)
  const isJoined = file.text.endsWith('\\')
  if (!isJoined && after?.start === file.text.length + gap.length && after.unclear === undefined)
    return { at: file.text.length, gap }
  throw refuseAssignment({ file, start: file.text.length }, `${name} cannot be set at the end of the file`)
}

/** Refuses to go on because of one assignment. */
export function refuseAssignment({ file, start }: Pick<Assignment, 'file' | 'start'>, reason: string): Error {
  return unclearAt(file, start, reason)
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

/**
 * As {@link effective}, for a text in which only blanks part one word from the next: what is added must not stick to what
 * was there. Errors: `CONFIG_UNCLEAR`.
 */
export function effectiveText(assignments: readonly Assignment[], name: string): readonly Assignment[] {
  const chain = effective(assignments, name)
  let isApart = false
  for (const [index, assignment] of chain.entries()) {
    const text = assignment.value.kind === 'word' ? assignment.value.text.text : ''
    const own = new RegExp(`\\$(?:\\{${name}\\}|${name}(?!\\w))`)
    const sticks = text
      .split(own)
      .some((piece, at, pieces) => (at > 0 && /^\S/.test(piece)) || (at < pieces.length - 1 && /\S$/.test(piece)))
    if (sticks || (index > 0 && assignment.appends && /^\S/.test(text) && !isApart)) {
      throw refuseAssignment(assignment, `what it adds to ${name} is not parted from it by a blank`)
    }
    if (own.test(text) && /(?:^|\s)--(?:\s|$)/.test(text)) throw refuseAssignment(assignment, `${name} is put around "--"`)
    isApart = text === '' ? isApart : /\s$/.test(text)
  }
  return chain
}

function refuseOther(file: ConfigFile, command: ShellCommand, names: readonly string[]): void {
  const first = command.words[0]
  if (first !== undefined && reading.has(first.text)) {
    throw refuseAssignment({ file, start: first.start }, `what "${first.text}" reads here may set anything`)
  }
  const isPassedOn = first?.text === 'export'
  for (const { name, start } of command.assignments) {
    const named = names.find((candidate) => baseOf(candidate) === baseOf(name))
    const isOther = named !== undefined && !names.includes(name)
    const isForOne = named !== undefined && first !== undefined && !isPassedOn
    if (isOther || isForOne || (named !== undefined && command.isInFunction)) throw notPlain(file, start, named)
  }
  const texts = [
    ...command.words.slice(isPassedOn ? 1 : 0),
    ...command.assignments.map(({ start, end }) => ({ start, end, isValue: true })),
  ]
  for (const { start, end, ...rest } of texts) {
    const text = file.text.slice(start, end)
    const isName = isPassedOn && /^\w+$/.test(text)
    const changed = names.find((name) => !isName && changesName(text, baseOf(name), 'isValue' in rest))
    if (changed !== undefined) throw notPlain(file, start, changed)
  }
}

function notPlain(file: ConfigFile, start: number, name: string): Error {
  return refuseAssignment({ file, start }, `${name} stands in something other than a plain assignment`)
}

/** `a` of `a[b]`. */
function baseOf(name: string): string {
  return name.replace(/\[.*/, '')
}

function piecesOf(value: Assignment['value']): readonly Pick<ShellWord, 'text' | 'doubt'>[] {
  return value.kind === 'word' ? [value.text] : value.elements
}

function refersToItself({ name, value }: Pick<Assignment, 'name' | 'value'>): boolean {
  return piecesOf(value).some(({ text, doubt }) => doubt === undefined && references(text).includes(name))
}

function unclearValue({ name, appends, value }: Pick<Assignment, 'name' | 'appends' | 'value'>): string | undefined {
  const pieces = piecesOf(value)
  const doubt = pieces.find((piece) => piece.doubt !== undefined)?.doubt
  if (doubt !== undefined) return `the value of ${name} is not plain: ${doubt}`
  const all = pieces.flatMap(({ text }) => references(text))
  const isComputed = pieces.some(({ text }) => text.includes('`')) || all.some((reference) => reference !== name)
  const isTwice = all.length > 1 || (appends && all.length > 0)
  return isComputed || isTwice || isPartOfList(name, value) ? `the value of ${name} is computed` : undefined
}

/** In a list a bare reference is the first element only. */
function isPartOfList(name: string, value: Assignment['value']): boolean {
  return value.kind === 'array' && value.elements.some(({ text }) => references(text).includes(name) && text !== `\${${name}[@]}`)
}

function references(text: string): readonly string[] {
  const plain = /\$(?:\{(\w+)(?:\[@\])?\}|(\w+))/g
  const found = [...text.matchAll(plain)].map(([, braced, bare]) => braced ?? bare ?? '')
  return text.replaceAll(plain, '').includes('$') ? [...found, '?'] : found
}
