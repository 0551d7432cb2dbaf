import type { Splice } from './splice.ts'

/** How text that is put at a place must be written there: as it is, or between quotes of its own. */
export type Quoting = 'as-is' | 'own-quotes'

interface Place {
  readonly start: number
  readonly end: number
  readonly quoting: Quoting
}

/**
 * A value as it is meant, with the place in the file of each of its characters: quotes, escapes and continued lines belong
 * to no character, so that whatever is cut out or put in leaves them as they stand.
 */
export interface MappedText {
  readonly text: string
  readonly places: readonly Place[]
  /** How a space is written, where it is more than a space: between two elements of a list. */
  readonly space?: string
  /** Where something goes when the value is empty, and what must stand around it there. */
  readonly origin: { readonly at: number; readonly quoting: Quoting; readonly before?: string; readonly after?: string }
}

/** A stretch of a file that means what it says. */
export function plainStretch(file: string, start: number, end: number): MappedText {
  const places: Place[] = []
  for (let at = start; at < end; at++) places.push({ start: at, end: at + 1, quoting: 'as-is' })
  return { text: file.slice(start, end), places, origin: { at: start, quoting: 'as-is' } }
}

/** A value that is not there yet: what is put into it stands between `before` and `after`. */
export function missingStretch(at: number, before: string, after: string): MappedText {
  return { text: '', places: [], origin: { at, quoting: 'as-is', before, after } }
}

/** Cuts the characters from `start` to before `end` out of the file. */
export function cut({ places }: MappedText, start: number, end: number): Splice[] {
  return places.slice(start, end).map((place) => ({ start: place.start, end: place.end, text: '' }))
}

/** Puts text before the character `index`, or at the end. The text holds no quotes, backslashes or dollar signs. */
export function put({ places, origin, space = ' ' }: MappedText, index: number, plain: string): Splice {
  const text = plain.replaceAll(' ', space)
  const previous = places[index - 1]
  const next = places[index]
  const place = previous === undefined ? next : previous
  if (place === undefined) {
    const written = `${origin.before ?? ''}${quoted(text, origin.quoting)}${origin.after ?? ''}`
    return { start: origin.at, end: origin.at, text: written }
  }
  const at = previous === undefined ? place.start : place.end
  return { start: at, end: at, text: quoted(text, place.quoting) }
}

function quoted(text: string, quoting: Quoting): string {
  return quoting === 'own-quotes' ? `"${text}"` : text
}
