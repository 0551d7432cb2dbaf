import type { Loaded, TuiState } from '../tui-state.ts'
import { approvalsBody } from './approvals-body.ts'
import { changesBody } from './changes-body.ts'
import { deviceDetails, devicesBody } from './devices-body.ts'
import { helpBody } from './help-body.ts'
import { line, span, wrapped, type Body, type Line } from './line.ts'
import { panelBody } from './panel-body.ts'
import { planBody } from './plan-body.ts'
import { pluginsBody } from './plugins-body.ts'
import { systemBody } from './system-body.ts'

/** Lines around what scrolls: names of the screens, a rule, what was told, the keys. */
const frameRows = 4

/** Lines that are there for what scrolls. */
export function bodyRows({ rows }: Pick<TuiState, 'rows'>): number {
  return Math.max(1, rows - frameRows)
}

/** What the screen shows between its frame. */
export function screenBody(state: TuiState): Body {
  const width = Math.max(10, state.columns)
  if (state.help) return helpBody(width)
  switch (state.screen) {
    case 'system':
      return loadedBody(state.detection, width, 'The machine is being looked at', (found) => systemBody(found, width))
    case 'devices':
      return loadedBody(state.detection, width, 'The machine is being looked at', (found) =>
        state.details === null ? devicesBody(found, state, width) : deviceDetails(found, state.details, width),
      )
    case 'plan':
      return planBody(state, width)
    case 'changes':
      return loadedBody(state.changes, width, 'The journal is being read', (found) => changesBody(found, state, width))
    case 'plugins':
      return loadedBody(state.plugins, width, 'Plugins are being looked for', (found) => pluginsBody(found, width))
    case 'panels':
      return panelsBody(state, width)
    case 'approvals':
      return approvalsBody(state, width)
  }
}

function panelsBody(state: TuiState, width: number): Body {
  return loadedBody(state.panels, width, 'Panels are being looked for', (tabs) => {
    if (tabs.length === 0) return { lines: [line('No plugin brings a panel.')] }
    const names: Line = tabs.flatMap(({ title }, index) => [
      span(index === state.panel ? `‹${title}›` : ` ${title} `, index === state.panel ? 'strong' : 'muted'),
      span(' '),
    ])
    const shown = tabs[state.panel]
    const waiting = `${shown?.plugin ?? 'The plugin'} has not answered yet`
    const { lines, cursor } = loadedBody(state.content, width, waiting, (content) => panelBody(content, state.action, width))
    const head = [names, line(shown === undefined ? '' : `of ${shown.plugin}`, 'muted')]
    return { lines: [...head, ...lines], ...(cursor === undefined ? {} : { cursor: cursor + head.length }) }
  })
}

function loadedBody<T>(loaded: Loaded<T>, width: number, waiting: string, body: (value: T) => Body): Body {
  switch (loaded.kind) {
    case 'waiting':
      return { lines: [line(`${waiting} …`, 'muted')] }
    case 'failed':
      return { lines: wrapped(loaded.message, width, { tone: 'bad' }) }
    case 'there':
      return body(loaded.value)
  }
}

/** First line shown so that the chosen one is seen and nothing is shown below the end. */
export function firstLine(state: TuiState, { lines, cursor }: Body): number {
  const room = bodyRows(state)
  const scroll = cursor === undefined ? state.scroll : Math.min(Math.max(state.scroll, cursor + 4 - room), cursor)
  return Math.max(0, Math.min(scroll, lines.length - room))
}
