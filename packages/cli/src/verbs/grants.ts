import { HostError } from '@backplane/server/client'
import type { Command } from 'commander'
import { printable, printableLine } from '@backplane/terminal'
import type { Grants, Permissions, Plugin } from '../host-answers.ts'
import { backplaneErrors } from '../errors.ts'
import { readGrantFile, type AgreeOptions, type GrantFile } from '../installing/approvals.ts'
import { failedText, type Failed } from '../installing/failed-text.ts'
import { sentencesText } from '../installing/plan-text.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { timeAgo } from './audit-options.ts'
import { examples } from './examples.ts'
import { permissionsOf, permissionsText } from './permission-verbs.ts'

/** Adds `grants`, `grants propose` and `grants withhold`. */
export function addGrants(program: Command, run: Runner): void {
  const grants = program.command('grants').description('list everything that was approved or withheld, with who did')
  examples(grants, ['grants', 'grants propose > grants.json', `grants withhold acme/s3 'exec rclone'`])
  grants.action(run(listGrants))
  const propose = grants
    .command('propose [plugins...]')
    .description('print the least grant that would have done so far, as a file for --grant-file (default: of all plugins)')
    .option('--since <time>', 'only what was used from then on: 7d, 12h, or a time', timeAgo)
  examples(
    propose,
    ['grants propose acme/s3', 'grants propose --since 30d > grants.json'],
    'What nobody watched is kept, and told: files and programs are watched in audit mode. What a plugin reports of itself it can\nkeep to itself: without it, it may fail.',
  )
  propose.action(run(proposeGrants))
  const withhold = grants
    .command('withhold [plugin] [permissions...]')
    .description('let a plugin run without permissions it asks for, each by its text; `approve` gives them back')
    .option('--grant-file <file>', 'withhold what a file says, from each plugin in it')
  examples(
    withhold,
    [
      `grants withhold acme/s3 'exec rclone' 'net:connect s3.example.org:443'`,
      'grants propose acme/s3 > grants.json; backplane grants withhold --grant-file grants.json',
    ],
    'It is stopped at once and started without them. An update that asks for them runs without them, too.\nEnds with 1 when a plugin of the file is not there; it is done to all others.',
  )
  withhold.action(run(withholdGrants))
}

async function listGrants(session: Session): Promise<void> {
  const answer = (await session.api().get('/api/grants')) as Grants
  show(session, answer, () =>
    answer.grants
      .map(({ id, permissions, withheld = [], kept_in: keptIn, by, at }) => {
        const who = by === null ? '' : `, by ${by}${at === null ? '' : ` at ${at}`}`
        const what = permissions.length === 0 ? '  nothing\n' : sentencesText(session.terminal, permissions)
        const kept = withheld.map((permission) => `  withheld: ${printableLine(permission)}\n`).join('')
        return `${printable(`${id} (${keptIn}${who})`)}\n${what}${kept}`
      })
      .join(''),
  )
}

async function withholdGrants(
  session: Session,
  id: string | undefined,
  permissions: readonly string[],
  options: Pick<AgreeOptions, 'grantFile'>,
): Promise<number | void> {
  const file = await readGrantFile(options)
  if (file !== undefined && id === undefined) return withholdAll(session, file)
  if (file !== undefined || id === undefined || permissions.length === 0) {
    const reason = 'either a plugin and permissions are named, or a file with --grant-file'
    throw backplaneErrors.error('BACKPLANE_USAGE', { reason })
  }
  const answer = await withheldFrom(session, id, permissions)
  show(session, answer, () => permissionsText(session, answer))
}

/** What a file says, from each plugin in it; one that is not there keeps nothing from the others. Answers 1 when there was one. */
async function withholdAll(session: Session, { withheld }: GrantFile): Promise<number> {
  const plugins: Permissions[] = []
  const failed: Failed[] = []
  for (const [id, permissions] of Object.entries(withheld)) {
    if (permissions.length === 0) continue
    try {
      plugins.push(await withheldFrom(session, id, permissions))
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      const { code, message, hint = null } = error
      failed.push({ id, code, message, hint })
    }
  }
  show(session, { plugins, failed }, () => plugins.map((one) => permissionsText(session, one)).join(''))
  if (!session.json) session.terminal.err(failed.map((one) => failedText(one, 'is as it was')).join(''))
  return failed.length === 0 ? 0 : 1
}

async function withheldFrom(session: Session, id: string, permissions: readonly string[]): Promise<Permissions> {
  return (await session.api().post(`${pluginPath(id)}/withhold`, { permissions })) as Permissions
}

async function proposeGrants(session: Session, ids: string[], { since }: { readonly since?: string }): Promise<void> {
  const wanted = ids.length > 0 ? ids : await allPlugins(session)
  const plugins = new Map<string, { readonly permissions: readonly string[]; readonly withheld?: readonly string[] }>()
  for (const id of wanted) {
    const answer = await permissionsOf(session, id, since)
    const { proposal } = answer
    if (proposal === undefined || (answer.asked.length === 0 && ids.length === 0)) continue
    const { used, unknown, unused } = proposal
    const withheld = unused.length === 0 ? {} : { withheld: [...unused].sort() }
    plugins.set(answer.id, { permissions: [...used, ...unknown].sort(), ...withheld })
    tellDoubts(session, answer)
  }
  const file = { grantsVersion: 1, plugins: Object.fromEntries(plugins) }
  show({ ...session, json: true }, file, () => '')
}

async function allPlugins(session: Session): Promise<readonly string[]> {
  const { plugins } = (await session.api().get('/api/plugins')) as { readonly plugins: readonly Pick<Plugin, 'id'>[] }
  return plugins.map(({ id }) => id)
}

/** What is not in the file, for whoever reviews it. */
function tellDoubts({ terminal }: Session, { id, used = [], proposal }: Permissions): void {
  for (const permission of proposal?.unknown ?? []) {
    const why = used.find((one) => one.permission === permission)?.unknown ?? 'it was not watched for so long'
    terminal.err(`${printableLine(`${id}: ${permission} is kept, because nobody can say whether it was used: ${why}`)}\n`)
  }
  for (const [permission, texts] of Object.entries(proposal?.narrower ?? {})) {
    terminal.err(`${printableLine(`${id}: its manifest could ask for ${texts.join(', ')} instead of ${permission}`)}\n`)
  }
}
