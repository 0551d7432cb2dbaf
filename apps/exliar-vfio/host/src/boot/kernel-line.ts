import { cut, put, type MappedText } from '../text/mapped-text.ts'
import type { Splice } from '../text/splice.ts'
import { unclearAt } from '../text/unclear-at.ts'
import { exliarErrors } from '../errors.ts'
import type { ConfigFile } from '../text/config-file.ts'
import { contradicts, reconciled, satisfies } from './parameter-meaning.ts'

/** A part of a kernel command line, and the file it stands in. */
export interface LinePart {
  readonly file: ConfigFile
  readonly value: MappedText
}

/** One kernel command line: its parts in the order the kernel gets them. What is added goes to the end of `target`. */
export interface KernelLine {
  readonly parts: readonly LinePart[]
  readonly target: LinePart
}

/** What a line should have and what it should not. */
export interface LineChange {
  readonly add: readonly string[]
  /** Whole parameters, as they stand. */
  readonly remove: readonly string[]
}

/** What was changed of a line. */
export interface LineEdit {
  readonly splices: readonly { readonly file: ConfigFile; readonly splice: Splice }[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** What said the opposite and had to give way. */
  readonly replaced: readonly { readonly from: string; readonly to: string }[]
}

interface Token {
  readonly part: LinePart
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The parameters of a line in order, as they stand, repeated ones repeated. Errors: `CONFIG_UNCLEAR`. */
export function parametersOf({ parts }: KernelLine): readonly string[] {
  return parts.flatMap(tokensOf).map(({ text }) => text)
}

/**
 * Edits a line so that nothing else of it changes: order, repetitions, quotes and white space stay. What is there already
 * is not added again; what says the opposite gives way. Errors: `CONFIG_UNCLEAR`, `BOOT_PARAMETER_UNSAFE`.
 */
export function editKernelLine(line: KernelLine, { add, remove }: LineChange): LineEdit {
  const all = line.parts.flatMap(tokensOf)
  const separator = all.find(({ text }) => text === '--')
  const tokens = separator === undefined ? all : all.slice(0, all.indexOf(separator))
  const gone = new Set<Token>(tokens.filter(({ text }) => remove.includes(text)))
  const removed = [...gone].map(({ text }) => text)
  const standIns = new Map<Token, string>()
  const replaced: { from: string; to: string }[] = []
  const added: string[] = []
  for (const wanted of add.map(safeParameter)) {
    const standing = tokens.filter((token) => !gone.has(token) && !standIns.has(token))
    const there = [...standing.map(({ text }) => text), ...standIns.values(), ...added].some((text) => satisfies(text, wanted))
    const against = standing.filter(({ text }) => contradicts(text, wanted))
    for (const [index, token] of against.entries()) {
      const to = safeParameter(reconciled(token.text, wanted))
      replaced.push({ from: token.text, to })
      if ((there || index > 0) && to === wanted) gone.add(token)
      else standIns.set(token, to)
    }
    if (!there && against.length === 0) added.push(wanted)
  }
  const target = targetOf(line, separator)
  const splices = line.parts.flatMap((part) =>
    splicesOf(part, { tokens: all, gone, standIns, add: part === target ? added : [] }),
  )
  return { splices, added, removed, replaced }
}

/** What follows `--` is for the first program, not for the kernel. Source: the kernel's `parse_args`. */
function targetOf({ parts, target }: KernelLine, separator: Token | undefined): LinePart {
  const isBehind = separator !== undefined && parts.indexOf(separator.part) < parts.indexOf(target)
  return isBehind ? separator.part : target
}

interface PartEdit {
  readonly tokens: readonly Token[]
  readonly gone: ReadonlySet<Token>
  readonly standIns: ReadonlyMap<Token, string>
  readonly add: readonly string[]
}

function splicesOf(part: LinePart, edit: PartEdit): { file: ConfigFile; splice: Splice }[] {
  const { value, file } = part
  const own = edit.tokens.filter((token) => token.part === part)
  const splices: Splice[] = []
  const lost = new Set<number>()
  for (const [index, token] of own.entries()) {
    if (edit.gone.has(token)) lose(lost, ...withGap(own, index, edit.gone))
    const standIn = edit.standIns.get(token)
    if (standIn === undefined) continue
    lose(lost, token.start, token.end)
    splices.push(put(value, token.start, standIn))
  }
  for (const index of lost) splices.push(...cut(value, index, index + 1))
  if (edit.add.length > 0)
    splices.push(
      addition(
        part,
        own.filter((token) => !edit.gone.has(token)),
        edit.add.join(' '),
      ),
    )
  return splices.map((splice) => ({ file, splice }))
}

function lose(lost: Set<number>, start: number, end: number): void {
  for (let index = start; index < end; index++) lost.add(index)
}

/** A parameter goes together with the white space before it; the first one with what follows it. */
function withGap(own: readonly Token[], index: number, gone: ReadonlySet<Token>): [number, number] {
  const token = own[index] as Token
  const first = own.slice(0, index).every((earlier) => gone.has(earlier))
  return first ? [token.start, own[index + 1]?.start ?? token.end] : [own[index - 1]?.end ?? token.start, token.end]
}

/** Before `--`, else at the end. */
function addition({ value }: LinePart, standing: readonly Token[], text: string): Splice {
  const end = standing.findIndex((token) => token.text === '--')
  const last = end === -1 ? standing.at(-1) : standing[end - 1]
  if (last !== undefined) return put(value, last.end, ` ${text}`)
  if (end !== -1) return put(value, standing[end]?.start ?? 0, `${text} `)
  return put(value, 0, text)
}

/** As the kernel parts its line: at white space outside double quotes. Source: its `next_arg`. */
function tokensOf(part: LinePart): readonly Token[] {
  const { text } = part.value
  const tokens: Token[] = []
  let start = -1
  let quoted = false
  for (let at = 0; at <= text.length; at++) {
    const character = text[at]
    if (character === '"') quoted = !quoted
    const gap = character === undefined || (!quoted && /\s/.test(character))
    if (gap && start !== -1) tokens.push({ part, start, end: at, text: text.slice(start, at) })
    if (gap) start = -1
    else if (start === -1) start = at
  }
  if (quoted) throw unclear(part, tokens.at(-1)?.start ?? 0, 'a quotation mark is not closed')
  return tokens
}

/** The refusal to edit a line that is not understood, with its place. */
export function unclear({ file, value }: LinePart, index: number, reason: string): Error {
  const position = value.places[index]?.start ?? value.origin.at
  return unclearAt(file, position, reason)
}

/** What needs no quotes in any of the files it may have to stand in. */
function safeParameter(parameter: string): string {
  if (/^\w[\w.,:=/+@%~-]*$/.test(parameter)) return parameter
  throw exliarErrors.error('BOOT_PARAMETER_UNSAFE', { parameter })
}
