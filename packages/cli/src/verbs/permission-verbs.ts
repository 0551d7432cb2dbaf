import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { Permissions } from '../host-answers.ts'
import { confirm } from '../installing/approvals.ts'
import { sentencesText } from '../installing/plan-text.ts'
import { usedText } from '../installing/used-text.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { printable } from '@backplane/terminal'
import { timeAgo } from './audit-options.ts'
import { examples } from './examples.ts'

/** Adds `permissions`, `approve` and `revoke`. */
export function addPermissionVerbs(program: Command, run: Runner): void {
  const permissions = program
    .command('permissions <plugin>')
    .description('say in words what a plugin asks for and what was approved, or what it used of that')
    .option('--used', 'what it used of each: how often, when, by whose word, and of what')
    .option('--since <time>', 'with --used: for the proposal, uses from then on: 7d, 12h, or a time', timeAgo)
  examples(permissions, [
    'permissions acme/s3',
    'permissions acme/s3 --used --since 7d',
    `permissions acme/s3 --json | jq -r '.unapproved[].permission'`,
  ])
  permissions.action(
    run(async (session, id: string, { used = false, since }: { readonly used?: boolean; readonly since?: string }) => {
      const answer = await permissionsOf(session, id, since)
      show(session, answer, () => (used ? usedText(session.terminal, answer) : permissionsText(session, answer)))
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
}

/** What a plugin asks for, may and used. */
export async function permissionsOf(session: Session, id: string, since?: string): Promise<Permissions> {
  const query = since === undefined ? '' : `?${new URLSearchParams({ since }).toString()}`
  return (await session.api().get(`${pluginPath(id)}/permissions${query}`)) as Permissions
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
  const isAsked = session.terminal.ask !== undefined
  if (isAsked || !session.json) {
    session.terminal.err(`${printable(id)} would be allowed to\n${sentencesText(session.terminal, unapproved)}`)
  }
  if (!isAsked) {
    throw backplaneErrors.error('BACKPLANE_UNAPPROVED', { plugins: id, permissions: permissions.join(', ') })
  }
  await confirm(session, 'Approve this?')
  return permissions
}

/** What a plugin asks for, in words, by what was answered. */
export function permissionsText({ terminal }: Session, answer: Permissions): string {
  const { id, version, asked, approved, unapproved, waiting, withheld = [] } = answer
  if (asked.length === 0) return `${printable(`${id} ${version}`)} asks for nothing\n`
  const open = new Set(unapproved.map(({ permission }) => permission))
  const kept = new Set(withheld.map(({ permission }) => permission))
  const given = asked.filter(({ permission }) => !open.has(permission) && !kept.has(permission))
  const head = approved === null ? 'all it asks for counts as approved' : given.length === 0 ? 'nothing is approved' : 'may'
  return [
    `${printable(`${id} ${version}`)}: ${head}\n`,
    sentencesText(terminal, given),
    ...(withheld.length === 0 ? [] : ['withheld, so it runs without:\n', sentencesText(terminal, withheld)]),
    ...(open.size === 0
      ? []
      : [`not approved${waiting === null ? '' : `, so ${printable(waiting)} waits`}:\n`, sentencesText(terminal, unapproved)]),
  ].join('')
}
