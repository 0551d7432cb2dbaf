import type { TuiState } from '../tui-state.ts'
import type { ChangesNow } from '../tui-state.ts'
import { resultLines } from './plan-body.ts'
import { blank, line, wrapped, type Body, type Line } from './line.ts'

/** What was changed, by whom, and what still stands. */
export function changesBody({ changes, interrupted }: ChangesNow, { work, result }: TuiState, width: number): Body {
  if (work.kind === 'taking-back') return { lines: [line('Changes are being taken back …', 'notice')] }
  const end = result === null ? [] : [...resultLines(result, width), blank]
  const broken = interrupted
    ? [...wrapped('An apply was interrupted: press u, and what it had done is taken back.', width, { tone: 'warning' }), blank]
    : []
  if (changes.length === 0) return { lines: [...end, ...broken, line('Nothing was changed.')] }
  const listed = changes.flatMap(({ id, state, at, plugin, hook, summary, notes }): Line[] => [
    ...wrapped(`${id}  ${state}  ${summary}`, width, {
      tone: state === 'kept' ? 'warning' : state === 'undone' ? 'muted' : 'plain',
    }),
    line(`   ${at}  by ${plugin === null ? 'exliar' : `${plugin} ${hook ?? ''}`.trim()}`, 'muted'),
    ...notes.flatMap((note) => wrapped(note, width, { indent: 3, tone: 'muted' })),
  ])
  return { lines: [...end, ...broken, ...listed] }
}
