import { printableJson } from '@backplane/terminal'
import type { TuiState } from '../tui-state.ts'
import { blank, fieldLines, line, span, wrapped, type Body, type Line } from './line.ts'

/** Most lines of what an operation would be given. */
const longestInput = 200

/** Critical operations that wait for a person, and those that were answered. */
export function approvalsBody({ questions, question, decided }: TuiState, width: number): Body {
  const lines: Line[] = []
  let cursor: number | undefined
  for (const request of questions) {
    const isChosen = request.id === question
    if (isChosen) cursor = lines.length
    const who = request.version === undefined ? request.plugin : `${request.plugin} ${request.version}`
    lines.push([span(isChosen ? '› ' : '  ', 'strong'), span(who, 'strong'), span(' wants to')])
    lines.push(...wrapped(request.sentence, width, { indent: 4, tone: 'warning' }))
    if (!isChosen) continue
    const input = printableJson(request.input ?? null, 2).split('\n')
    if (input.length > longestInput) input.splice(longestInput, Infinity, `… and ${input.length - longestInput} lines more`)
    lines.push(
      ...fieldLines(
        [
          ['    operation', `${request.point} ${request.method}`],
          ['    until', new Date(request.expiresAtMs).toISOString()],
        ],
        width,
      ),
      ...input.flatMap((text) => wrapped(text, width, { indent: 4, tone: 'muted' })),
    )
  }
  if (questions.length === 0) lines.push(line('Nobody asks for anything.'))
  else if (cursor === undefined) lines.push(blank, line('Choose a question with ↑ and ↓.', 'notice'))
  if (decided.length > 0) lines.push(blank, line('Answered', 'muted'))
  for (const { request, approved, reason } of decided) {
    lines.push(
      ...wrapped(
        `${approved ? 'allowed' : 'refused'}  ${request.plugin}: ${request.sentence}${reason === null ? '' : ` (${reason})`}`,
        width,
        {
          tone: 'muted',
        },
      ),
    )
  }
  return cursor === undefined ? { lines } : { lines, cursor }
}
