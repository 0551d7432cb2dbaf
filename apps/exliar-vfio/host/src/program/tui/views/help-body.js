import { fieldLines, line, blank } from './line.js'
const everywhere = [
  ['1 … 7, Tab', 'go to a screen'],
  ['↑ ↓ PgUp PgDn', 'move, scroll; also k and j, Home and End'],
  ['r', 'look again'],
  ['Esc', 'back; on the first screen: quit'],
  ['q, Ctrl-Q', 'quit'],
  ['Ctrl-C', 'break off what is being applied: it is taken back; else quit'],
]
const screens = [
  ['Devices', 'n: next graphics card · g or Enter: details · s: select the slot · c: make the plan'],
  ['Plan', 'c: make it again · w: bind now or at the next start · b: the boot screen’s card may go · a: apply'],
  ['Changes', 'u: take back the last apply · x: clean up, everything is taken back'],
  ['Panels', '← →: another panel · n: next action · Enter: do it'],
  ['Approvals', 'y: allow · n: refuse, with a reason'],
]
/** Every key. */
export function helpBody(width) {
  return { lines: [line('Keys', 'strong'), ...fieldLines(everywhere, width), blank, ...fieldLines(screens, width)] }
}
//# sourceMappingURL=help-body.js.map
