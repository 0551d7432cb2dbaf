import { Box, Text } from 'ink'
import { printable } from '@backplane/terminal'
import { createElement as h, memo, type ReactNode } from 'react'
import type { TuiState } from '../tui-state.ts'
import { keysLine, messageLine, ruleLine, titleLine } from './frame.ts'
import type { Line, Span, Tone } from './line.ts'
import { bodyRows, firstLine, screenBody } from './screen-body.ts'

const colours: Readonly<Record<Tone, string | undefined>> = {
  plain: undefined,
  good: 'green',
  notice: 'cyan',
  warning: 'yellow',
  bad: 'red',
  muted: undefined,
  strong: undefined,
}

/** The whole screen. Everything that is drawn goes through here, and what would steer the terminal does not get further. */
export function Screen({ state, colors }: { readonly state: TuiState; readonly colors: boolean }): ReactNode {
  const body = screenBody(state)
  const first = firstLine(state, body)
  const room = bodyRows(state)
  const shown = body.lines.slice(first, first + room)
  const filled = [...shown, ...Array.from({ length: room - shown.length }, (): Line => [])]
  // Where there is no room for all, what is asked must still be read.
  const all = [titleLine(state), ruleLine(state, body), ...filled, messageLine(state), keysLine(state)].slice(-state.rows)
  return h(
    Box,
    { flexDirection: 'column', width: state.columns, height: all.length, overflow: 'hidden' },
    all.map((line, index) => h(LineOf, { key: index, line, colors })),
  )
}

const LineOf = memo(function LineOf({ line, colors }: { readonly line: Line; readonly colors: boolean }): ReactNode {
  // A line without text would have no height.
  const spans = line.length === 0 ? [{ text: ' ', tone: 'plain' as const }] : line
  return h(
    Text,
    { wrap: 'truncate-end' },
    spans.map((span, index) => h(SpanOf, { key: index, span, colors })),
  )
})

function SpanOf({ span: { text, tone }, colors }: { readonly span: Span; readonly colors: boolean }): ReactNode {
  const colour = colours[tone]
  const props = {
    ...(colors && colour !== undefined ? { color: colour } : {}),
    ...(colors && tone === 'muted' ? { dimColor: true } : {}),
    ...(colors && tone === 'strong' ? { bold: true } : {}),
  }
  return h(Text, props, printable(text))
}
