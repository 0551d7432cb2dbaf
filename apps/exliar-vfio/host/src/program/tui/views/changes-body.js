import { resultLines } from './plan-body.js'
import { blank, line, wrapped } from './line.js'
/** What was changed, by whom, and what still stands. */
export function changesBody({ changes, interrupted }, { work, result }, width) {
  if (work.kind === 'taking-back') return { lines: [line('Changes are being taken back …', 'notice')] }
  const end = result === null ? [] : [...resultLines(result, width), blank]
  const broken = interrupted
    ? [...wrapped('An apply was interrupted: press u, and what it had done is taken back.', width, { tone: 'warning' }), blank]
    : []
  if (changes.length === 0) return { lines: [...end, ...broken, line('Nothing was changed.')] }
  const listed = changes.flatMap(({ id, state, at, plugin, hook, summary }) => [
    ...wrapped(`${id}  ${state}  ${summary}`, width, {
      tone: state === 'kept' ? 'warning' : state === 'undone' ? 'muted' : 'plain',
    }),
    line(`   ${at}  by ${plugin === null ? 'exliar' : `${plugin} ${hook ?? ''}`.trim()}`, 'muted'),
  ])
  return { lines: [...end, ...broken, ...listed] }
}
//# sourceMappingURL=changes-body.js.map
