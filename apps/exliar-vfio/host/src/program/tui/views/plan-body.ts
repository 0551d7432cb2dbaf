import type { UndoReport } from '../../../changes/undo.ts'
import type { Plan } from '../../../plan/plan.ts'
import { undoEnd } from '../../change-work.ts'
import { counted } from '../../counted.ts'
import type { TakenBack } from '../../take-back-changes.ts'
import type { Result, TuiState, Work } from '../tui-state.ts'
import { blank, line, wrapped, type Body, type Line, type Tone } from './line.ts'

/** What would be done, what is being done, and how it ended. */
export function planBody(state: TuiState, width: number): Body {
  const { plan, work, result } = state
  if (work.kind === 'applying') return workBody(work, width)
  const end = result === null ? [] : [...resultLines(result, width), blank]
  const head = [...wrapped(wishText(state), width, { tone: 'muted' }), blank]
  switch (plan.kind) {
    case 'none':
      return { lines: [...end, ...head, line('Select cards with s on the devices screen, then press c.')] }
    case 'making':
      return { lines: [...end, ...head, line('The plan is being made …', 'muted')] }
    case 'failed':
      return { lines: [...end, ...head, ...wrapped(plan.message, width, { tone: 'bad' })] }
    case 'made':
      return { lines: [...end, ...head, ...planLines(plan.plan, width)] }
  }
}

function wishText({ selected, takeAlong, choices }: Pick<TuiState, 'selected' | 'takeAlong' | 'choices'>): string {
  return [
    `Selected: ${selected.join(', ') || 'nothing'}`,
    ...(takeAlong.length === 0 ? [] : [`along with it: ${takeAlong.join(', ')}`]),
    `bind ${choices.bind === 'now' ? 'now, where that is safe' : 'at the next start'}`,
    `the card with the boot screen ${choices.allowBootScreen ? 'may go' : 'stays'}`,
    ...choices.leaveOut.map((part) => `${part}: by hand`),
  ].join(' · ')
}

function planLines(plan: Plan, width: number): Line[] {
  const steps = plan.stages.flatMap((stage) => stage.steps)
  const section = (head: string, lines: readonly Line[]): Line[] =>
    lines.length === 0 ? [] : [line(head, 'strong'), ...lines, blank]
  const item = (text: string): Line[] => wrapped(text, width, { indent: 2 })
  return [
    ...wrapped(`Plan: ${plan.title}`, width, { tone: 'strong' }),
    blank,
    ...section(
      'Functions that move together',
      plan.functions.flatMap(({ device, because }) =>
        item(
          `${device.bdf}  ${device.class}: ${device.vendor_name} ${device.device_name} (now ${device.driver ?? 'without a driver'}). ${because}`,
        ),
      ),
    ),
    ...(steps.length === 0 ? [line('Nothing is to be done: everything is as it should be.', 'good'), blank] : []),
    ...section(
      'Steps',
      steps.flatMap(({ summary, cause }, index) =>
        item(`${index + 1}. ${summary}${cause === null ? '' : `  [${cause.plugin}, ${cause.hook}]`}`),
      ),
    ),
    ...section(
      'To know',
      plan.notes.flatMap((note) => item(`- ${note}`)),
    ),
    ...plan.diffs.flatMap(({ diff }) => [...diffLines(diff), blank]),
    plan.reboot
      ? line('The machine must start again before all of it counts.', 'warning')
      : line('No restart is needed.', 'muted'),
  ]
}

/** A unified difference; its lines are not wrapped: they are what is written. */
export function diffLines(diff: string): Line[] {
  return diff
    .trimEnd()
    .split('\n')
    .map((text) => line(text.replaceAll('\t', '    '), diffTone(text)))
}

function diffTone(text: string): Tone {
  if (text.startsWith('+++') || text.startsWith('---')) return 'strong'
  if (text.startsWith('+')) return 'good'
  if (text.startsWith('-')) return 'bad'
  return text.startsWith('@@') ? 'notice' : 'plain'
}

function workBody({ steps, done, running, broken }: Extract<Work, { kind: 'applying' }>, width: number): Body {
  const head = `Applying: ${done.length} of ${counted(steps, 'step')} done`
  const lines = [
    line(head, 'strong'),
    blank,
    ...done.flatMap((summary) => wrapped(`done     ${summary}`, width, { tone: 'good' })),
    ...(running === null ? [] : wrapped(`running  ${running}`, width, { tone: 'notice' })),
    ...(broken ? [blank, ...wrapped('What runs is finished, then everything is taken back.', width, { tone: 'warning' })] : []),
  ]
  return { lines, cursor: lines.length - 1 }
}

/** How the last work ended. */
export function resultLines(result: Result, width: number): Line[] {
  switch (result.kind) {
    case 'refused':
      return [line('Nothing was done.', 'bad'), ...wrapped(result.message, width, { tone: 'bad', indent: 2 })]
    case 'taken-back':
      return result.report.changes.length === 0 ? [line('There was nothing to take back.')] : undoLines(result.report, width)
    case 'applied': {
      const { applied } = result
      if (applied.kind === 'applied') {
        return [
          line(
            `Done: ${counted(applied.changes.length, 'change')}. Cleanup on the changes screen takes back what was done.`,
            'good',
          ),
          ...applied.notes.flatMap((note) => wrapped(`- ${note}`, width, { indent: 2 })),
          ...(result.reboot ? wrapped('Start the machine again: only then all of it counts.', width, { tone: 'warning' }) : []),
        ]
      }
      const by = applied.plugin === null ? '' : ` (${applied.plugin})`
      return [...wrapped(`Rolled back: ${applied.reason}${by}`, width, { tone: 'bad' }), ...undoLines(applied.undo, width)]
    }
  }
}

function undoLines(report: UndoReport & Partial<TakenBack>, width: number): Line[] {
  const lines = report.changes.flatMap(({ summary, end }): Line[] => {
    if (end.kind === 'undone') {
      return [
        ...wrapped(`undone  ${summary}`, width),
        ...end.notes.flatMap((note) => wrapped(note, width, { indent: 8, tone: 'muted' })),
      ]
    }
    return [
      ...wrapped(`kept    ${summary}`, width, { tone: 'warning' }),
      ...wrapped(end.reason, width, { indent: 8, tone: 'warning' }),
      ...(end.diff === undefined ? [] : diffLines(end.diff)),
    ]
  })
  return [...lines, ...wrapped(undoEnd(report), width, { tone: report.complete && report.restart !== true ? 'good' : 'warning' })]
}
