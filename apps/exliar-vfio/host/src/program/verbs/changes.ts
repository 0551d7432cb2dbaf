import { printable, tableText } from '@backplane/terminal'
import type { Command } from 'commander'
import { cleanupScriptPath, readJournal, underWay, type UnderWay } from '../../changes/open-changes.ts'
import { recordedChanges } from '../../changes/recorded-changes.ts'
import { exliarErrors } from '../../errors.ts'
import { undoText } from '../change-work.ts'
import { counted } from '../counted.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'
import { takeBackChanges } from '../take-back-changes.ts'

/** Adds `status`, `rollback` and `cleanup`. */
export function addChanges(program: Command, run: Runner): void {
  const status = program.command('status').description('what was changed on this machine, by whom, and what still stands')
  examples(status, ['status', 'status --json | jq .changes'])
  status.action(run(async (session) => showStatus(session)))
  const back = program
    .command('rollback')
    .description('take back what was interrupted, or else the last apply; what others changed since is kept and named')
    .option('--yes', 'do not ask')
  examples(back, ['rollback', 'rollback --yes'])
  back.action(run(async (session, { yes = false }: { yes?: boolean }) => takeBack(session, 'rollback', yes)))
  const clean = program
    .command('cleanup')
    .description('take back everything ever applied, byte for byte; what others changed since is kept and named')
    .option('--yes', 'do not ask')
  examples(clean, ['cleanup', 'cleanup --yes --json'], `Without exliar: sh ${cleanupScriptPath}\n`)
  clean.action(run(async (session, { yes = false }: { yes?: boolean }) => takeBack(session, 'cleanup', yes)))
}

function showStatus(session: Session): void {
  const journal = readJournal(session.tree)
  const changes = recordedChanges(journal)
  const now = underWay(session.tree)
  const changing = now.kind === 'running' ? now.pid : null
  session.show({ interrupted: now.kind === 'interrupted', changing, changes }, () => {
    const end = endOf(now)
    if (changes.length === 0) return end === '' ? 'Nothing was changed.\n' : end
    const table = tableText(changes, [
      ['CHANGE', ({ id }) => id],
      ['STATE', ({ state }) => state],
      ['AT', ({ at }) => at],
      ['BY', ({ plugin, hook }) => (plugin === null ? 'exliar' : `${plugin} ${hook ?? ''}`.trim())],
      ['WHAT', ({ summary }) => summary],
    ])
    const notes = changes.flatMap(({ id, notes: told }) => told.map((note) => `${id}: ${printable(note)}\n`))
    return `${table}${notes.length === 0 ? '' : `\n${notes.join('')}`}${end === '' ? '' : `\n${end}`}`
  })
}

function endOf(now: UnderWay): string {
  switch (now.kind) {
    case 'nothing':
      return ''
    case 'running':
      return `Process ${now.pid} is changing this machine.\n`
    case 'interrupted':
      return 'An apply was interrupted: `exliar rollback` takes it back.\n'
  }
}

async function takeBack(session: Session, reason: 'cleanup' | 'rollback', yes: boolean): Promise<number> {
  const { terminal, tree } = session
  const standing = recordedChanges(readJournal(tree)).filter(({ state }) => state !== 'undone')
  if (standing.length > 0 && !yes) {
    if (terminal.ask === undefined) throw exliarErrors.error('EXLIAR_NOBODY_TO_ASK')
    const answer = await terminal.ask(
      `Take back ${reason === 'cleanup' ? counted(standing.length, 'change') : 'the last apply'}? [y/N] `,
    )
    if (!/^y(es)?$/i.test(answer.trim())) return 1
  }
  const report = await takeBackChanges(session, reason)
  session.show(
    {
      complete: report.complete,
      standing: report.standing,
      restart: report.restart,
      changes: report.changes.map(({ change, summary, end }) => ({ id: change, summary, ...end })),
    },
    () => (report.changes.length === 0 ? 'There is nothing to take back.\n' : undoText(report)),
  )
  return report.complete ? 0 : 1
}
