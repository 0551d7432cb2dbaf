import { backplaneErrors } from '../errors.ts'
import type { Plan, PlanPut } from '../host-answers.ts'
import { readJson } from '../offline/file-text.ts'
import type { Session } from '../session.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { printable } from '@backplane/terminal'
import { sentencesText } from './plan-text.ts'

/** Permissions by plugin id. */
export type Approvals = Readonly<Record<string, readonly string[]>>

/** What a reviewed file says: what is approved, and what is kept from a plugin, which needs no approval. */
export interface GrantFile {
  readonly approved: Approvals
  readonly withheld: Approvals
}

/** How a change is agreed to. */
export interface AgreeOptions {
  /** A file in which somebody reviewed and approved permissions. */
  readonly grantFile?: string | undefined
  /** Goes on without asking, where nothing has to be approved. */
  readonly yes?: true | undefined
}

/**
 * Asks whoever sits there whether this is to be done, and with what permissions; answers what was approved, which is exactly
 * what was shown. Errors: `BACKPLANE_UNAPPROVED` where nobody can be asked, `BACKPLANE_DECLINED`.
 */
export async function agreeOn(
  session: Session,
  plan: Plan,
  { file: reviewed, yes }: Pick<AgreeOptions, 'yes'> & { readonly file: GrantFile | undefined },
): Promise<Approvals> {
  const { terminal } = session
  const file = reviewed?.approved
  const open = unapprovedIn(plan, file)
  if (open.length === 0) {
    if (plan.pending && terminal.ask !== undefined && yes === undefined && file === undefined) await confirm(session, 'Go on?')
    return file ?? {}
  }
  // With --json what is not asked is told by the error alone, so that every line is JSON.
  if (terminal.ask !== undefined || !session.json) terminal.err(openText(terminal, open))
  // A file is the whole of what was approved: what it lacks is nobody's to add at a prompt, and --yes never approves.
  if (terminal.ask === undefined || file !== undefined) throw unapproved(open)
  await confirm(session, open.length === 1 ? 'Approve this and go on?' : 'Approve all of this and go on?')
  const approved = open.map(({ id, permissions }) => [id, permissions.map(({ permission }) => permission)] as const)
  return Object.fromEntries(approved)
}

/** What nobody approved of what a plan brings, in words. */
export function unapprovedText(terminal: Terminal, plan: Plan): string {
  return openText(terminal, unapprovedIn(plan, undefined))
}

function openText(terminal: Terminal, open: readonly Unapproved[]): string {
  return open
    .map(({ id, permissions }) => `${printable(id)} would be allowed to\n${sentencesText(terminal, permissions)}`)
    .join('')
}

interface Unapproved {
  readonly id: string
  readonly permissions: PlanPut['permissions']['unapproved']
}

function unapprovedIn({ steps }: Plan, file: Approvals | undefined): readonly Unapproved[] {
  return steps.flatMap((step) => {
    if (step.kind === 'remove') return []
    const approved = file !== undefined && Object.hasOwn(file, step.id) ? file[step.id] : undefined
    const permissions = step.permissions.unapproved.filter(({ permission }) => approved?.includes(permission) !== true)
    return permissions.length === 0 ? [] : [{ id: step.id, permissions }]
  })
}

function unapproved(open: readonly Unapproved[]): Error {
  const permissions = open.flatMap((one) => one.permissions.map(({ permission }) => permission)).join(', ')
  return backplaneErrors.error('BACKPLANE_UNAPPROVED', { plugins: open.map(({ id }) => id).join(', '), permissions })
}

/** Only a plain yes is one. Errors: `BACKPLANE_DECLINED`. */
export async function confirm({ terminal }: Session, question: string): Promise<void> {
  const answer = await terminal.ask?.(`${question} [y/N] `)
  if (answer?.trim().toLowerCase() !== 'y') throw backplaneErrors.error('BACKPLANE_DECLINED')
}

/** Reads a file of the form of `grants.json`; undefined without one. Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`. */
export async function readGrantFile({ grantFile: path }: AgreeOptions): Promise<GrantFile | undefined> {
  if (path === undefined) return undefined
  const hint = 'Write it like {"grantsVersion": 1, "plugins": {"acme/s3": {"permissions": ["exec rclone"]}}}.'
  const invalid = (reason: string): Error => backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason, hint })
  const file = await readJson(path, hint)
  const plugins: unknown = Reflect.get(Object(file), 'plugins')
  if (Reflect.get(Object(file), 'grantsVersion') !== 1) throw invalid('grantsVersion must be 1')
  if (typeof plugins !== 'object' || plugins === null) throw invalid('plugins must be an object')
  const listsOf = (name: 'permissions' | 'withheld'): Approvals =>
    Object.fromEntries(
      Object.entries(plugins).map(([id, answers]): [string, readonly string[]] => {
        const list: unknown = Reflect.get(Object(answers), name) ?? (name === 'withheld' ? [] : undefined)
        if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return [id, list]
        throw invalid(`${name} of ${id} must be a list of texts`)
      }),
    )
  return { approved: listsOf('permissions'), withheld: listsOf('withheld') }
}
