import stringWidth from 'string-width'

/** Columns a text takes on a terminal. */
export function textWidth(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text)
}

/** The text, or its beginning with `…`, in so many columns at most. No character is cut in two. */
export function clipped(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let room = columns - 1
  if (room < 0) return ''
  let cut = ''
  for (const { segment } of characters.segment(text)) {
    room -= textWidth(segment)
    if (room < 0) break
    cut += segment
  }
  return `${cut}…`
}

const characters = new Intl.Segmenter()

/** The text with blanks up to so many columns, or cut off there. */
export function padded(text: string, columns: number): string {
  const cut = clipped(text, columns)
  return cut + ' '.repeat(Math.max(0, columns - textWidth(cut)))
}
