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
export declare const blank: Line
export declare function span(text: string, tone?: Tone): Span
export declare function line(text: string, tone?: Tone): Line
/** A text of any length as lines of at most so many columns, each after as many blanks. */
export declare function wrapped(
  text: string,
  width: number,
  {
    tone,
    indent,
  }?: {
    tone?: Tone
    indent?: number
  },
): Line[]
/** Names and values below each other; long values go on below themselves. */
export declare function fieldLines(
  fields: readonly (readonly [name: string, value: string, tone?: Tone])[],
  width: number,
): Line[]
/** Rows below heads, columns as wide as they need, within a limit. */
export declare function tableLines(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  tones?: (row: number) => Tone,
): Line[]
/** The text with blanks up to a width, or cut off there. */
export declare function padded(text: string, width: number): string
//# sourceMappingURL=line.d.ts.map
