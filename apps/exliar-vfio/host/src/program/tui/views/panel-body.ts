import type { PanelContent, PanelItem } from '@exliar-vfio/points'
import { sparkline } from '../../sparkline.ts'
import { fieldLines, line, padded, span, tableLines, wrapped, type Body, type Line, type Tone } from './line.ts'

/** Most lines of one panel. */
export const longestPanel = 2_000

const widestBar = 40
const widestChart = 60

/** Names of the actions of a panel, in order. */
export function actionsOf({ items }: PanelContent): readonly string[] {
  return items.flatMap((item) => (item.kind === 'action' ? [item.id] : []))
}

/** A panel of a plugin. Whatever it sends is text here. */
export function panelBody({ items }: PanelContent, chosenAction: number, width: number): Body {
  const lines: Line[] = []
  let actions = 0
  let cursor: number | undefined
  for (const item of items) {
    if (lines.length > longestPanel) break
    const isChosen = item.kind === 'action' && actions++ === chosenAction
    if (isChosen && chosenAction > 0) cursor = lines.length
    lines.push(...itemLines(item, isChosen, width))
  }
  if (lines.length > longestPanel) {
    lines.splice(longestPanel, Infinity, line(`… and more: only its first ${longestPanel} lines are shown`, 'muted'))
  }
  if (lines.length === 0) lines.push(line('This panel shows nothing.', 'muted'))
  return cursor === undefined ? { lines } : { lines, cursor }
}

const tones: Readonly<Record<'plain' | 'good' | 'warning' | 'bad' | 'muted', Tone>> = {
  plain: 'plain',
  good: 'good',
  warning: 'warning',
  bad: 'bad',
  muted: 'muted',
}

function itemLines(item: PanelItem, isChosen: boolean, width: number): readonly Line[] {
  switch (item.kind) {
    case 'heading':
      return [[], line(item.text, 'strong')]
    case 'text':
      return wrapped(item.text, width, { tone: tones[item.tone] })
    case 'fields':
      return fieldLines(
        item.fields.map(({ label, value, tone }) => [label, value, tones[tone]] as const),
        width,
      )
    case 'table':
      return tableLines(item.columns, item.rows)
    case 'gauge':
      return [gaugeLine(item, width)]
    case 'chart':
      return [[span(`${item.label}  `, 'muted'), span(sparkline(item.values, chartRoom(width)), 'notice'), span(` ${item.unit}`)]]
    case 'action':
      return [[span(`${isChosen ? '› ' : '  '}[ ${item.label} ]`, isChosen ? 'strong' : 'plain')]]
  }
}

function gaugeLine({ label, value, most, unit }: Extract<PanelItem, { kind: 'gauge' }>, width: number): Line {
  const room = Math.max(5, Math.min(widestBar, width - 40))
  const share = Math.min(1, value / most)
  const full = Math.round(share * room)
  const tone: Tone = share > 0.9 ? 'warning' : 'good'
  return [
    span(`${padded(label, Math.min(20, Math.max(8, label.length)))}  `, 'muted'),
    span('█'.repeat(full), tone),
    span('░'.repeat(room - full), 'muted'),
    span(` ${value} of ${most} ${unit}`.trimEnd()),
  ]
}

/** Beside a chart there must be room for its name. */
function chartRoom(width: number): number {
  return Math.max(8, Math.min(widestChart, width - 30))
}
