import type { StateName } from '@backplane/kernel'
import type { ListedPlugin } from '../../listed-plugins.ts'
import { reasonOf } from '../../plugin-reason.ts'
import { line, span, wrapped, type Body, type Line, type Tone } from './line.ts'

/** Every plugin with its state, and why. */
export function pluginsBody(records: readonly ListedPlugin[], width: number): Body {
  const lines = records.flatMap((record): Line[] => {
    const { id, version, origin, state, notes } = record
    const why = reasonOf(record)
    return [
      [span(`${id} ${version}`, 'strong'), span(`  ${state.name}`, toneOf(state.name)), span(`  ${origin}`, 'muted')],
      ...(why === '' ? [] : wrapped(why, width, { indent: 2, tone: toneOf(state.name) })),
      ...notes.flatMap((note) => wrapped(note, width, { indent: 2, tone: 'muted' })),
    ]
  })
  return { lines: lines.length === 0 ? [line('There is no plugin.')] : lines }
}

function toneOf(state: StateName): Tone {
  if (state === 'failed' || state === 'quarantined') return 'bad'
  if (state === 'blocked' || state === 'disabled' || state === 'draining') return 'warning'
  return state === 'active' ? 'good' : 'muted'
}
