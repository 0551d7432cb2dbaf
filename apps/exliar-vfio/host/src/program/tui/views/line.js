import { printable } from '@backplane/terminal'
import stringWidth from 'string-width'
import wrapAnsi from 'wrap-ansi'
export const blank = []
export function span(text, tone = 'plain') {
  return { text, tone }
}
export function line(text, tone = 'plain') {
  return [span(text, tone)]
}
/** A text of any length as lines of at most so many columns, each after as many blanks. */
export function wrapped(text, width, { tone = 'plain', indent = 0 } = {}) {
  const room = Math.max(1, width - indent)
  // Cleaned first: what the wrapping takes for a colour has no width.
  const clean = text.split('\n').map(printable).join('\n')
  return wrapAnsi(clean, room, { hard: true, trim: false })
    .split('\n')
    .map((part) => line(`${' '.repeat(indent)}${part}`, tone))
}
/** Names and values below each other; long values go on below themselves. */
export function fieldLines(fields, width) {
  const widest = Math.min(Math.floor(width / 3), Math.max(0, ...fields.map(([name]) => stringWidth(printable(name)))))
  return fields.flatMap(([name, value, tone]) => {
    const parts = wrapped(value === '' ? '-' : value, width - widest - 2, tone === undefined ? {} : { tone })
    return parts.map((part, index) => [span(`${padded(index === 0 ? name : '', widest)}  `, 'muted')].concat(part))
  })
}
/** Columns of a table may not be wider. */
const widestCell = 60
/** Rows below heads, columns as wide as they need, within a limit. */
export function tableLines(heads, rows, tones) {
  const cells = [heads, ...rows].map((row) => row.map((cell) => clipped(printable(cell), widestCell)))
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => stringWidth(row[column] ?? ''))))
  return cells.map((row, index) => {
    const text = widths
      .map((width, column) => padded(row[column] ?? '', width))
      .join('  ')
      .trimEnd()
    return line(text, index === 0 ? 'muted' : (tones?.(index - 1) ?? 'plain'))
  })
}
/** The text with blanks up to a width, or cut off there. */
export function padded(text, width) {
  const cut = clipped(printable(text), width)
  return cut + ' '.repeat(Math.max(0, width - stringWidth(cut)))
}
function clipped(text, width) {
  if (text.length <= width && stringWidth(text) <= width) return text
  let cut = text.slice(0, width)
  while (stringWidth(cut) > width - 1) cut = cut.slice(0, -1)
  return `${cut}…`
}
//# sourceMappingURL=line.js.map
