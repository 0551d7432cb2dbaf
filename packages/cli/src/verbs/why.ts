import type { Command } from 'commander'
import type { Why } from '../host-answers.ts'
import { pluginPath, show, type Runner } from '../session.ts'
import { highlight, printable } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'
import { examples } from './examples.ts'

type Mark = readonly [mark: string, style: 'red' | 'yellow' | 'green' | 'dim']

const marks: Readonly<Record<string, Mark>> = { fault: ['✗', 'red'], notice: ['!', 'yellow'], fine: ['✓', 'green'] }

/** For a weight that a newer host has. */
const otherMark: Mark = ['?', 'dim']

/** Adds `why`. */
export function addWhy(program: Command, run: Runner): void {
  const why = program
    .command('why <plugin>')
    .description('explain why a plugin is as it is: its state, what it was refused, its limits, its version, its speed')
  examples(
    why,
    ['why libvirt', `why hypersdk/libvirt --json | jq '.findings[] | select(.weight == "fault") | .hint'`],
    'Numbers after # are those of events: `backplane events --since 0`.',
  )
  why.action(
    run(async (session, id: string) => {
      const answer = (await session.api().get(`${pluginPath(id)}/why`)) as Why
      show(session, answer, () => answer.findings.map((finding) => findingText(session.terminal, finding)).join(''))
    }),
  )
}

function findingText(terminal: Terminal, finding: Why['findings'][number]): string {
  const [mark, style] = marks[finding.weight] ?? otherMark
  const evidence = finding.evidence.map(({ text, seq, at }) => {
    const where = printable([seq === null ? [] : `#${seq}`, at ?? []].flat().join(' '))
    return `    · ${printable(text)}${where === '' ? '' : highlight(terminal, 'dim', ` (${where})`)}\n`
  })
  const hint = finding.hint === null ? '' : `    → ${printable(finding.hint)}\n`
  return `${highlight(terminal, style, mark)} ${printable(finding.what)}\n    ${printable(finding.because)}\n${evidence.join('')}${hint}`
}
