import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { Outdated } from '../host-answers.ts'
import type { AgreeOptions } from '../installing/approvals.ts'
import { changeInstalled } from '../installing/change-installed.ts'
import { hostReference } from '../installing/reference.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

const agreeing = `Permissions are asked about at a terminal, in words; without one they must be in --grant-file. --yes only answers
whether to go on: what nobody approved is never approved by it.`

/** Adds `add`, `remove`, `update` and `outdated`. */
export function addInstallVerbs(program: Command, run: Runner): void {
  addAdd(program, run)
  addUpdate(program, run)
  addRemove(program, run)
  const outdated = program.command('outdated').description('list what something newer can be had of')
  examples(
    outdated,
    ['outdated', `outdated --json | jq -r '.plugins[] | select(.available) | .id'`],
    'Ends with 1 when there is something.',
  )
  outdated.action(run(listOutdated))
}

function addAdd(program: Command, run: Runner): void {
  const add = agreed(program.command('add [references...]').description('install plugins, with what they need'))
  examples(
    add,
    [
      'add npm:@acme/s3@^1.2',
      'add ./s3-1.2.0.tgz',
      'add /srv/hypersdk/packages/s3 --grant-file grants.json',
      "add 'git:https://git.acme.example/s3.git@v1.2.0'",
      'add --bundle /media/usb/plugins.bundle',
    ],
    `An archive that lies here is sent to the host; a folder must lie in a directory the host allows.\n${agreeing}`,
  )
  add.option('--bundle <file>', 'all of a bundle, which must lie in a directory the host allows')
  add.action(
    run(async (session, given: string[], { bundle, ...options }: AgreeOptions & { readonly bundle?: string }) => {
      const references = bundle === undefined ? given : [...given, `bundle:${bundle}`]
      if (references.length === 0) throw backplaneErrors.error('BACKPLANE_USAGE', { reason: 'it is not said what to add' })
      const changes = []
      for (const reference of references) changes.push({ kind: 'add', reference: await hostReference(session, reference) })
      return changeInstalled(session, changes, options)
    }),
  )
}

function addUpdate(program: Command, run: Runner): void {
  const update = agreed(
    program.command('update [plugins...]').description('install the best versions that what was asked for allows (default: all)'),
  )
  examples(update, ['update', 'update acme/s3', 'update --grant-file grants.json --yes'], agreeing)
  update.action(
    run(async (session, ids: string[], options: AgreeOptions) => {
      const changes = ids.length === 0 ? [{ kind: 'update' }] : ids.map((id) => ({ kind: 'update', id }))
      return changeInstalled(session, changes, options)
    }),
  )
}

interface RemoveOptions {
  readonly deleteFiles?: true
  readonly keepState?: true
  readonly withUsers?: true
  readonly force?: true
}

function addRemove(program: Command, run: Runner): void {
  const remove = program
    .command('remove <plugin>')
    .description('uninstall a plugin, with what only it needed; refused while something uses or needs it')
    .option('--delete-files', 'also delete its folder, or what the store keeps of it')
    .option('--keep-state', 'keep what it stored')
    .option('--with-users', 'also what needs it')
    .option('--force', 'also while something uses it: what it is at is ended')
  examples(remove, ['remove acme/s3', 'remove acme/s3 --with-users --delete-files'])
  remove.action(
    run(async (session, id: string, options: RemoveOptions) => {
      const query = new URLSearchParams({
        deleteFiles: String(options.deleteFiles ?? false),
        keep_state: String(options.keepState ?? false),
        with_users: String(options.withUsers ?? false),
        force: String(options.force ?? false),
      })
      await session.api().delete(pluginPath(id), query)
      show(session, { removed: id }, () => `${id} removed\n`)
    }),
  )
}

/** The options of whatever may ask for approval. */
export function agreed(command: Command): Command {
  return command
    .option('--grant-file <file>', 'reviewed permissions, in the form of grants.json; exactly these are approved')
    .option('--yes', 'go on without asking, where nothing has to be approved')
}

async function listOutdated(session: Session): Promise<number> {
  const answer = (await session.api().get('/api/plugins/outdated')) as Outdated
  show(session, answer, () =>
    tableText(answer.plugins, [
      ['PLUGIN', ({ id }) => id],
      ['VERSION', ({ version }) => version],
      ['AVAILABLE', ({ available }) => available],
      ['ASKED FOR', ({ requested }) => requested],
      ['NEW PERMISSIONS', ({ unapproved }) => (unapproved.length === 0 ? null : unapproved.join(', '))],
      ['PROBLEM', ({ problem }) => problem?.message ?? null],
    ]),
  )
  return answer.plugins.some(({ available, problem }) => available !== null || problem !== null) ? 1 : 0
}
