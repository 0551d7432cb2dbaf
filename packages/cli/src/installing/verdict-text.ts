import type { Verdict } from '../host-answers.ts'
import { highlight, printableLine } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'

const marks: Readonly<Record<string, readonly [mark: string, style: 'green' | 'red' | 'yellow' | 'dim']>> = {
  passed: ['✓', 'green'],
  refused: ['✗', 'red'],
  waived: ['!', 'yellow'],
  silent: ['·', 'dim'],
}

/** Every rule with what it said and what to do. */
export function verdictText(terminal: Terminal, { ok, trust, publisher, rules }: Verdict): string {
  const lines = rules.map(({ rule, outcome, reason, file, fix }) => {
    const [mark, style] = marks[outcome] ?? ['?', 'dim']
    const where = file === null || reason.includes(file) ? '' : ` (${file})`
    const todo = fix === null ? '' : `    → ${printableLine(fix)}\n`
    return `${highlight(terminal, style, mark)} ${printableLine(`${rule}: ${reason}${where}`)}\n${todo}`
  })
  const by = publisher === null ? '' : ` by ${publisher}`
  const summary = ok ? highlight(terminal, 'green', 'may run') : highlight(terminal, 'red', 'may not run')
  return `${summary}, ${printableLine(`${trust}${by}`)}\n${lines.join('')}`
}
