import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Lock } from '../host-answers.ts'
import { failedText, type Failed } from '../installing/failed-text.ts'
import { progressBar } from '../installing/progress-bar.ts'
import { show, type Runner, type Session } from '../session.ts'
import { printable, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

interface Restored {
  readonly restored: readonly string[]
  /** Older hosts say nothing of it. */
  readonly failed?: readonly Failed[]
}

interface Collected {
  readonly packages: number
  readonly uploads: number
}

/** Adds `install`, `lock` and `gc`. */
export function addLockVerbs(program: Command, run: Runner): void {
  const install = program
    .command('install')
    .description('fetch what the lock names and the store lacks, from exactly where the lock says')
  examples(
    install,
    ['install', 'install --bundle /media/usb/plugins.bundle'],
    'For a fresh machine with a lock from version control, or a damaged store. To install something new: add.\nEnds with 1 when something could not be fetched; everything else was.',
  )
  install.option('--bundle <file>', 'take it from a bundle, which must lie in a directory the host allows')
  install.action(run(restore))
  const lock = program.command('lock').description('show what is installed and approved, as the lock says')
  examples(lock, ['lock', 'lock --json > backplane.lock'])
  lock.action(run(showLock))
  const gc = program.command('gc').description('remove stored packages and uploads that nobody needs')
  examples(gc, ['gc'], 'What the lock names, what runs and the version to go back to stay.')
  gc.action(run(collect))
}

async function restore(session: Session, { bundle }: { readonly bundle?: string }): Promise<number> {
  using bar = progressBar(session.terminal, session.json)
  const from = bundle === undefined ? {} : { bundle: `bundle:${resolve(bundle)}` }
  const answer = (await session.api().change('/api/lock/restore', from, bar.show)) as Restored
  bar[Symbol.dispose]()
  const { restored, failed = [] } = answer
  const isWhole = restored.length + failed.length === 0
  show(session, answer, () => (isWhole ? 'everything is there\n' : restored.map((id) => `${printable(id)} fetched\n`).join('')))
  if (!session.json) session.terminal.err(failed.map((one) => failedText(one, 'could not be fetched')).join(''))
  return failed.length === 0 ? 0 : 1
}

async function showLock(session: Session): Promise<void> {
  const answer = (await session.api().get('/api/lock')) as Lock
  show(session, answer, () =>
    tableText(Object.entries(answer.plugins), [
      ['PLUGIN', ([id]) => id],
      ['VERSION', ([, { version }]) => version],
      ['PUBLISHER', ([, { publisher }]) => publisher ?? null],
      ['ASKED FOR', ([, { requested }]) => requested ?? null],
      ['PERMISSIONS', ([, { permissions }]) => permissions.length],
      ['DIGEST', ([, { artifacts }]) => Object.values(artifacts)[0]?.digest.slice(0, 19) ?? null],
    ]),
  )
}

async function collect(session: Session): Promise<void> {
  const answer = (await session.api().post('/api/store/gc')) as Collected
  show(session, answer, () => `${answer.packages} packages and ${answer.uploads} uploads removed\n`)
}
