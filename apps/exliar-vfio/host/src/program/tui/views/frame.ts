import { printableLine } from '@backplane/terminal'
import { counted } from '../../counted.ts'
import type { Screen, TuiState } from '../tui-state.ts'
import { screens } from '../tui-state.ts'
import { bodyRows, firstLine } from './screen-body.ts'
import { line, span, type Body, type Line } from './line.ts'

const titles: Readonly<Record<Screen, string>> = {
  system: 'System',
  devices: 'Devices',
  plan: 'Plan',
  changes: 'Changes',
  plugins: 'Plugins',
  panels: 'Panels',
  approvals: 'Approvals',
}

const keys: Readonly<Record<Screen, string>> = {
  system: '',
  devices: 'n next GPU  g details  s select  t along  c plan  ',
  plan: 'a apply  c again  w when  b boot screen  i initramfs  l bootloader  ',
  changes: 'u undo last  x clean up  ',
  plugins: '',
  panels: '←→ panel  n next action  Enter do  ',
  approvals: 'y allow  n refuse  ',
}

/** Narrower terminals name only the screen they show. */
const wideEnough = 76

/** The names of the screens, with what waits for an answer. */
export function titleLine({ screen, columns, questions }: TuiState): Line {
  const asked = questions.length === 0 ? [] : [span(`(${questions.length})`, 'warning')]
  if (columns < wideEnough) {
    const waiting = screen === 'approvals' || questions.length === 0 ? [] : [span('  7 Approvals '), ...asked]
    return [
      span(`exliar  ${screens.indexOf(screen) + 1}/${screens.length} `, 'muted'),
      span(titles[screen], 'strong'),
      ...waiting,
    ]
  }
  return [
    span('exliar', 'muted'),
    ...screens.flatMap((one, index) => [
      span(` ${index + 1} `, 'muted'),
      span(one === screen ? `[${titles[one]}]` : titles[one], one === screen ? 'strong' : 'muted'),
    ]),
    ...asked,
  ]
}

/** A rule that says how much is above and below. */
export function ruleLine(state: TuiState, body: Body): Line {
  const first = firstLine(state, body)
  const last = Math.min(body.lines.length, first + bodyRows(state))
  const place = body.lines.length <= bodyRows(state) ? '' : ` lines ${first + 1}–${last} of ${body.lines.length} `
  return line(`──${place}${'─'.repeat(Math.max(0, state.columns - 2 - place.length))}`, 'muted')
}

/** The question that is open, else what was told, else what is being done. */
export function messageLine({ prompt, refusing, message, work }: TuiState): Line {
  if (refusing !== null)
    return [span('Why not? ', 'warning'), span(`${refusing}▏`), span('  Enter refuses, Esc does not', 'muted')]
  if (prompt !== null) {
    const ask = prompt.kind === 'apply' ? `Apply ${counted(prompt.steps, 'step')}?` : takeBackText(prompt)
    return [span(ask, 'warning'), span(' [y/N] ')]
  }
  if (message !== null) return line(printableLine(message.text), message.tone)
  if (work.kind === 'applying') return line(`applying: ${work.done.length} of ${counted(work.steps, 'step')} done`, 'notice')
  return work.kind === 'taking-back' ? line('changes are being taken back', 'notice') : []
}

function takeBackText({ reason, changes }: Extract<NonNullable<TuiState['prompt']>, { kind: 'take-back' }>): string {
  return reason === 'rollback'
    ? 'Take back the last apply?'
    : `Take back ${changes === 1 ? '' : 'all '}${counted(changes, 'change')}?`
}

/** The keys of this screen; where not all have room, first how to see them. */
export function keysLine({ screen, work, help, columns }: TuiState): Line {
  if (work.kind === 'applying') return line('Ctrl-C breaks it off, and takes it back', 'muted')
  const own = help ? '' : keys[screen]
  const all = `${own}r refresh  Esc back  ? help  q quit`
  return line(columns < all.length ? `? help  ${own}` : all, 'muted')
}
