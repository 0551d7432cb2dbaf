import { clipped, padded as paddedText, printable, textWidth } from '@backplane/terminal'
import wrapAnsi from 'wrap-ansi'

/** How a text stands out. */
export type Tone = 'plain' | 'good' | 'notice' | 'warning' | 'bad' | 'muted' | 'strong'

/** A piece of a line. Whoever draws it cleans it: it may come from a plugin or the machine. */
export interface Span {
  readonly text: string
  readonly tone: Tone
}

/** One line of the screen; what is too long is cut off at the edge. */
export type Line = readonly Span[]

/** What a screen shows; more than fits is scrolled. */
export interface Body {
  readonly lines: readonly Line[]
  /** Line that must be seen. */
  readonly cursor?: number
}

export const blank: Line = []

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text, tone }
}

export function line(text: string, tone: Tone = 'plain'): Line {
  return [span(text, tone)]
}

/** A text of any length as lines of at most so many columns, each after as many blanks. */
export function wrapped(
  text: string,
  width: number,
  { tone = 'plain', indent = 0 }: { tone?: Tone; indent?: number } = {},
): Line[] {
  const room = Math.max(1, width - indent)
  const lines = text.split('\n').flatMap((one) => {
    // Cleaned first: what the wrapping takes for a colour has no width.
    const parts = wrapAnsi(printable(one), room, { hard: true, trim: false }).split('\n')
    return parts.map((part, index) => (index === 0 ? part : part.trimStart()))
  })
  return lines.map((part) => line(`${' '.repeat(indent)}${part}`, tone))
}

/** Names and values below each other; long values go on below themselves. */
export function fieldLines(fields: readonly (readonly [name: string, value: string, tone?: Tone])[], width: number): Line[] {
  const widest = Math.min(Math.floor(width / 3), Math.max(0, ...fields.map(([name]) => textWidth(printable(name)))))
  return fields.flatMap(([name, value, tone]) => {
    const parts = wrapped(value === '' ? '-' : value, width - widest - 2, tone === undefined ? {} : { tone })
    return parts.map((part, index) => [span(`${padded(index === 0 ? name : '', widest)}  `, 'muted')].concat(part))
  })
}

/** Columns of a table may not be wider. */
const widestCell = 60

/** Rows below heads, columns as wide as they need, within a limit. */
export function tableLines(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  tones?: (row: number) => Tone,
): Line[] {
  const cells = [heads, ...rows].map((row) => row.map((cell) => clipped(printable(cell), widestCell)))
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => textWidth(row[column] ?? ''))))
  return cells.map((row, index) => {
    const text = widths
      .map((width, column) => padded(row[column] ?? '', width))
      .join('  ')
      .trimEnd()
    return line(text, index === 0 ? 'muted' : (tones?.(index - 1) ?? 'plain'))
  })
}

/** The text, cleaned, with blanks up to a width, or cut off there. */
export function padded(text: string, width: number): string {
  return paddedText(printable(text), width)
}
