import { didYouMean } from '@backplane/sdk'
import { printable, tableText } from '@backplane/terminal'
import { command, panel, type PanelItem } from '@exliar-vfio/points'
import type { Command } from 'commander'
import { exliarErrors } from '../../errors.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'
import { sparkline } from '../sparkline.ts'

/** Adds `commands`, `run`, `panels` and `panel`: what plugins bring along. */
export function addContributed(program: Command, run: Runner): void {
  const commands = program.command('commands').description('commands that plugins bring along; call one by its name')
  examples(commands, ['commands', 'perf', 'run perf'])
  commands.action(
    run(async (session) => {
      const { kernel } = await session.plugins()
      const told = kernel.contributions(command).map(({ plugin, name, metadata }) => ({ name, plugin, metadata }))
      session.show({ commands: told }, () =>
        tableText(told, [
          ['COMMAND', ({ name }) => name],
          ['PLUGIN', ({ plugin }) => plugin],
          ['WHAT', ({ metadata }) => textOf(metadata['description'])],
        ]),
      )
    }),
  )
  const runs = program.command('run <command> [args...]').description('run a command of a plugin; what follows -- is its own')
  examples(runs, ['run perf', 'run perf win11', 'run notify-test -- --loud'])
  runs
    .allowUnknownOption()
    .action(run(async (session, name: string, args: readonly string[]) => runCommand(session, { name, args })))
  const panels = program.command('panels').description('panels that plugins bring along')
  examples(panels, ['panels', 'panels --json'])
  panels.action(
    run(async (session) => {
      const { kernel } = await session.plugins()
      const told = kernel.contributions(panel).map(({ plugin, name, metadata }) => ({ name, plugin, metadata }))
      session.show({ panels: told }, () =>
        tableText(told, [
          ['PANEL', ({ name }) => name],
          ['PLUGIN', ({ plugin }) => plugin],
          ['TITLE', ({ metadata }) => textOf(metadata['title'])],
        ]),
      )
    }),
  )
  const one = program.command('panel <name>').description('what a panel shows now')
  examples(one, ['panel performance', 'panel performance --json'])
  one.action(
    run(async (session, name: string) => {
      const { kernel } = await session.plugins()
      const { items } = await kernel.provider(panel, name).render(null, { signal: session.terminal.signal })
      session.show({ items }, () => items.map(itemText).join(''))
    }),
  )
}

/** A command of a plugin. */
export interface CommandCall {
  readonly name: string
  readonly args: readonly string[]
  /** What else could have been meant. */
  readonly verbs?: readonly string[]
}

/** Runs a plugin's command. Errors: `COMMAND_UNKNOWN` with the nearest name. */
export async function runCommand(session: Session, { name, args, verbs = [] }: CommandCall): Promise<void> {
  const { kernel } = await session.plugins()
  const known = kernel.contributions(command).map((one) => one.name)
  if (!known.includes(name))
    throw exliarErrors.error('COMMAND_UNKNOWN', { name, suggestion: didYouMean(name, [...verbs, ...known]) })
  const { text, data } = await kernel.provider(command, name).run({ args: [...args] }, { signal: session.terminal.signal })
  session.show(data ?? { text }, () => (text === '' ? '' : `${text.split('\n').map(printable).join('\n').trimEnd()}\n`))
}

/** Checked by the point's schema. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

const chartWidth = 60

/** One part of a panel as lines. */
export function itemText(item: PanelItem): string {
  switch (item.kind) {
    case 'heading':
      return `\n${printable(item.text)}\n`
    case 'text':
      return `${item.text.split('\n').map(printable).join('\n')}\n`
    case 'fields':
      return tableText(item.fields, [
        ['', ({ label }) => label],
        ['', ({ value }) => value],
      ]).replace(/^\s*\n/, '')
    case 'table':
      return tableText(
        item.rows,
        item.columns.map((head, index) => [printable(head), (row: readonly string[]) => row[index] ?? ''] as const),
      )
    case 'gauge':
      return `${printable(item.label)}: ${item.value} of ${item.most} ${printable(item.unit)}\n`
    case 'chart':
      return `${printable(item.label)}: ${sparkline(item.values, chartWidth)} ${printable(item.unit)}\n`
    case 'action':
      return `[${item.id}] ${printable(item.label)}\n`
  }
}
