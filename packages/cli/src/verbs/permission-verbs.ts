import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { Grants, Permissions } from '../host-answers.ts'
import { confirm } from '../installing/approvals.ts'
import { sentencesText } from '../installing/plan-text.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { printable } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Adds `permissions`, `approve`, `revoke` and `grants`. */
export function addPermissionVerbs(program: Command, run: Runner): void {
  const permissions = program
    .command('permissions <plugin>')
    .description('say in words what a plugin asks for and what was approved')
  examples(permissions, ['permissions acme/s3', `permissions acme/s3 --json | jq -r '.unapproved[].permission'`])
  permissions.action(
    run(async (session, id: string) => {
      const answer = await permissionsOf(session, id)
      show(session, answer, () => permissionsText(session, answer))
    }),
  )
  const approve = program
    .command('approve <plugin> [permissions...]')
    .description('approve what a plugin asks for: at a terminal after it was shown, else the permissions that are named')
  examples(
    approve,
    ['approve acme/s3', `approve acme/s3 'exec rclone' 'net:connect s3.example.org:443'`],
    'Without a terminal every permission has to be named as `permissions` lists it.',
  )
  approve.action(run(approvePermissions))
  const revoke = program
    .command('revoke <plugin> [permissions...]')
    .description('take back what was approved (default: all); what runs with it is stopped')
  examples(revoke, ['revoke acme/s3', `revoke acme/s3 'exec rclone'`])
  revoke.action(
    run(async (session, id: string, named: string[]) => {
      const body = named.length === 0 ? {} : { permissions: named }
      const answer = (await session.api().post(`${pluginPath(id)}/revoke`, body)) as Permissions
      show(session, answer, () => permissionsText(session, answer))
    }),
  )
  const grants = program.command('grants').description('list everything that was approved, with who did')
  examples(grants, [
    'grants',
    `grants --json | jq '{grantsVersion: 1, plugins: ([.grants[] | {(.id): {permissions: [.permissions[].permission]}}] | add)}'`,
  ])
  grants.action(run(listGrants))
}

async function permissionsOf(session: Session, id: string): Promise<Permissions> {
  return (await session.api().get(`${pluginPath(id)}/permissions`)) as Permissions
}

async function approvePermissions(session: Session, id: string, named: string[]): Promise<void> {
  const asked = await permissionsOf(session, id)
  const wanted = named.length === 0 ? await agreedOn(session, asked) : named
  const answer =
    wanted.length === 0
      ? asked
      : ((await session.api().post(`${pluginPath(asked.id)}/approve`, { permissions: wanted })) as Permissions)
  show(session, answer, () => permissionsText(session, answer))
}

/** Errors: `BACKPLANE_UNAPPROVED` where nobody can be asked, `BACKPLANE_DECLINED`. */
async function agreedOn(session: Session, { id, unapproved }: Permissions): Promise<readonly string[]> {
  const permissions = unapproved.map(({ permission }) => permission)
  if (permissions.length === 0) return []
  session.terminal.err(`${printable(id)} would be allowed to\n${sentencesText(session.terminal, unapproved)}`)
  if (session.terminal.ask === undefined) {
    throw backplaneErrors.error('BACKPLANE_UNAPPROVED', { plugins: id, permissions: permissions.join(', ') })
  }
  await confirm(session, 'Approve this?')
  return permissions
}

function permissionsText({ terminal }: Session, { id, version, asked, approved, unapproved, waiting }: Permissions): string {
  if (asked.length === 0) return `${printable(`${id} ${version}`)} asks for nothing\n`
  const open = new Set(unapproved.map(({ permission }) => permission))
  const given = asked.filter(({ permission }) => !open.has(permission))
  const head = approved === null ? 'all it asks for counts as approved' : given.length === 0 ? 'nothing is approved' : 'may'
  return [
    `${printable(`${id} ${version}`)}: ${head}\n`,
    sentencesText(terminal, given),
    ...(open.size === 0
      ? []
      : [`not approved${waiting === null ? '' : `, so ${printable(waiting)} waits`}:\n`, sentencesText(terminal, unapproved)]),
  ].join('')
}

async function listGrants(session: Session): Promise<void> {
  const answer = (await session.api().get('/api/grants')) as Grants
  show(session, answer, () =>
    answer.grants
      .map(({ id, permissions, kept_in: keptIn, by, at }) => {
        const who = by === null ? '' : `, by ${by}${at === null ? '' : ` at ${at}`}`
        const what = permissions.length === 0 ? '  nothing\n' : sentencesText(session.terminal, permissions)
        return `${printable(`${id} (${keptIn}${who})`)}\n${what}`
      })
      .join(''),
  )
}
