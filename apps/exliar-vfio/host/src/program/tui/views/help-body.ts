import { fieldLines, line, blank, type Body } from './line.ts'

const everywhere = [
  ['1 … 7, Tab', 'go to a screen'],
  ['↑ ↓ PgUp PgDn', 'move, scroll; also k and j, Home and End'],
  ['r', 'look again'],
  ['Esc', 'back; on the first screen: quit'],
  ['q, Ctrl-Q', 'quit'],
  ['Ctrl-C', 'break off what is being applied: it is taken back; else quit'],
] as const

const screens = [
  [
    'Devices',
    'n: next graphics card · g or Enter: details · s: select the slot · t: it goes along with a selected one of its group · c: make the plan',
  ],
  [
    'Plan',
    'c: make it again · w: bind now or at the next start · b: the boot screen’s card may go · i, l: leave the initramfs, the bootloader to be done by hand · a: apply',
  ],
  ['Changes', 'u: take back the last apply · x: clean up, everything is taken back'],
  ['Panels', '← →: another panel · n: next action · Enter: do it'],
  ['Approvals', 'y: allow · n: refuse, with a reason'],
] as const

/** Every key. */
export function helpBody(width: number): Body {
  return { lines: [line('Keys', 'strong'), ...fieldLines(everywhere, width), blank, ...fieldLines(screens, width)] }
}
