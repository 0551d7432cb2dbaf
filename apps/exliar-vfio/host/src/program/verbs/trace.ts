import { didYouMean } from '@backplane/sdk'
import { printable } from '@backplane/terminal'
import { allPoints, pluginEvent, type RecordedChange } from '@exliar-vfio/points'
import type { Command } from 'commander'
import { readJournal } from '../../changes/open-changes.ts'
import { recordedChanges } from '../../changes/recorded-changes.ts'
import { textDiff } from '../../changes/text-diff.ts'
import { exliarErrors } from '../../errors.ts'
import { hookName, type HookRun } from '../../plugins/hook-run.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'

const hooks = allPoints.filter(({ kind }) => kind === 'hook').map(hookName)

/** Adds `hooks` and `trace`. */
export function addTrace(program: Command, run: Runner): void {
  const list = program.command('hooks').description('every hook in the order of a machine’s life, and who handles it')
  examples(list, ['hooks', 'hooks --json'])
  list.action(
    run(async (session) => {
      const { kernel } = await session.plugins()
      const told = allPoints
        .filter((point) => point.kind === 'hook')
        .map((point) => ({
          hook: hookName(point),
          strategy: point.strategy,
          title: point.title ?? '',
          handlers: kernel.contributions(point).map(({ plugin, available }) => ({ plugin, available })),
        }))
      session.show({ hooks: told }, () =>
        told
          .map(({ hook, strategy, title, handlers }) => {
            const names = handlers.map(({ plugin, available }) => (available ? plugin : `${plugin} (not available)`))
            return printable(
              `${hook.padEnd(24)}${strategy.padEnd(6)}${title}${names.length === 0 ? '' : `: ${names.join(', ')}`}`,
            )
          })
          .join('\n')
          .concat('\n'),
      )
    }),
  )
  const trace = program
    .command('trace <hook>')
    .description('the last runs of a hook: every handler in order, what it changed, how long it took, who stopped the step')
    .option('--last <count>', 'how many runs', runCount, 1)
  examples(trace, ['trace pre-vm-start', 'trace pre-vfio-bind --last 5', 'trace gpu-detected --json'])
  trace.action(
    run(async (session, hook: string, { last }: { last: number }) => {
      const name = hook.replace(/^(exliar\.|on_)/, '').replaceAll('_', '-')
      if (!hooks.includes(name)) throw exliarErrors.error('HOOK_UNKNOWN', { hook, suggestion: didYouMean(name, hooks) })
      const { runs } = await session.plugins()
      const changes = recordedChanges(readJournal(session.tree)).filter((change) => change.hook === `exliar.${name}`)
      const told = withChanges(await runs.of(name), changes).slice(0, last)
      session.show({ hook: name, runs: told }, () => (told.length === 0 ? untold(name) : told.map(runText).join('\n')))
    }),
  )
}

function runCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw exliarErrors.error('EXLIAR_USAGE', { reason: `--last takes a whole number from 1, not ${text}` })
}

/** What plugins tell each other passes by here. */
function untold(name: string): string {
  if (name === hookName(pluginEvent)) return 'What plugins tell each other is not written down; --verbose tells what they log.\n'
  return `${name} has not run yet.\n`
}

interface ChangingRun extends HookRun {
  /** What handlers did to the machine in it, and what was done for it right after. */
  readonly changes: readonly RecordedChange[]
}

/** Each change is of the last run that began before it; runs are newest first. */
function withChanges(runs: readonly HookRun[], changes: readonly RecordedChange[]): readonly ChangingRun[] {
  const owner = (change: RecordedChange): HookRun | undefined => runs.find(({ at }) => at <= change.at)
  return runs.map((run) => ({ ...run, changes: changes.filter((change) => owner(change) === run) }))
}

function runText({ hook, at, subject, value, steps, refused, changes }: ChangingRun): string {
  const lines = [`${hook}${subject === null ? '' : ` ${subject}`} at ${at}`]
  let before = value
  for (const { plugin, name, outcome, tookMs, value: left, message } of steps) {
    lines.push(`  ${plugin} ${name}: ${outcome}, ${tookMs.toFixed(1)} ms${message === undefined ? '' : `: ${message}`}`)
    if (outcome !== 'changed') continue
    lines.push(...changedLines(before, left).map((line) => `    ${line}`))
    before = left
  }
  for (const { id, plugin, summary, state } of changes) lines.push(`  change ${id}, ${state}: ${plugin ?? 'exliar'}: ${summary}`)
  if (refused !== null) lines.push(`  stopped by ${refused.plugin}: ${refused.reason}`)
  return `${lines.map(printable).join('\n')}\n`
}

/** The lines that differ, with some around them; without the names of files, for there are none. */
function changedLines(before: unknown, after: unknown): readonly string[] {
  const [one, other] = [before, after].map((value) => Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`))
  return textDiff('value', one, other)
    .trimEnd()
    .split('\n')
    .filter((line) => !/^(---|\+\+\+|@@) /.test(line))
}
