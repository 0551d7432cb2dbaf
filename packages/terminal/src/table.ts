import { printable } from './printable.ts'
import { padded, textWidth } from './text-width.ts'

/** One column: its head, and what a row shows there. */
export type Column<T> = readonly [head: string, cell: (row: T) => string | number | null]

/** Rows under heads, columns as wide as needed, counted as the terminal does. What comes from machines and plugins cannot steer the terminal. */
export function tableText<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const lines = [
    columns.map(([head]) => head),
    ...rows.map((row) => columns.map(([, cell]) => printable(String(cell(row) ?? '-')))),
  ]
  const widths = columns.map((_, column) => lines.reduce((widest, line) => Math.max(widest, textWidth(line[column] ?? '')), 0))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => padded(cell, widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** Names and values, one a line. */
export function listText(entries: readonly (readonly [string, unknown])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => textWidth(printable(name))))
  return entries.map(([name, value]) => `${padded(printable(name), width)}  ${printable(valueText(value))}\n`).join('')
}

function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(valueText).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
