import { fieldLines, line, padded, span, tableLines, wrapped } from './line.js'
/** Most lines of one panel. */
export const longestPanel = 2_000
const bars = '▁▂▃▄▅▆▇█'
const widestBar = 40
/** Names of the actions of a panel, in order. */
export function actionsOf({ items }) {
  return items.flatMap((item) => (item.kind === 'action' ? [item.id] : []))
}
/** A panel of a plugin. Whatever it sends is text here. */
export function panelBody({ items }, chosenAction, width) {
  const lines = []
  let actions = 0
  let cursor
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
const tones = {
  plain: 'plain',
  good: 'good',
  warning: 'warning',
  bad: 'bad',
  muted: 'muted',
}
function itemLines(item, isChosen, width) {
  switch (item.kind) {
    case 'heading':
      return [[], line(item.text, 'strong')]
    case 'text':
      return wrapped(item.text, width, { tone: tones[item.tone] })
    case 'fields':
      return fieldLines(
        item.fields.map(({ label, value, tone }) => [label, value, tones[tone]]),
        width,
      )
    case 'table':
      return tableLines(item.columns, item.rows)
    case 'gauge':
      return [gaugeLine(item, width)]
    case 'chart':
      return [[span(`${item.label}  `, 'muted'), span(sparkline(item.values, width), 'notice'), span(` ${item.unit}`)]]
    case 'action':
      return [[span(`${isChosen ? '› ' : '  '}[ ${item.label} ]`, isChosen ? 'strong' : 'plain')]]
  }
}
function gaugeLine({ label, value, most, unit }, width) {
  const room = Math.max(5, Math.min(widestBar, width - 40))
  const share = Math.min(1, value / most)
  const full = Math.round(share * room)
  const tone = share > 0.9 ? 'warning' : 'good'
  return [
    span(`${padded(label, Math.min(20, Math.max(8, label.length)))}  `, 'muted'),
    span('█'.repeat(full), tone),
    span('░'.repeat(room - full), 'muted'),
    span(` ${value} of ${most} ${unit}`.trimEnd()),
  ]
}
/** The newest values as bars from the least to the most of them; the least is 0 unless some are below. */
export function sparkline(values, width) {
  const shown = values.slice(-Math.max(8, Math.min(60, width - 30)))
  const least = Math.min(0, ...shown)
  const height = Math.max(...shown, 0) - least || 1
  return shown.map((value) => bars[Math.min(bars.length - 1, Math.floor(((value - least) / height) * bars.length))]).join('')
}
//# sourceMappingURL=panel-body.js.map
