import { follow, HostError } from '@backplane/server/client'
import { listText, printable, printableJson, printableLine, tableText } from '@backplane/terminal'
import { Option, type Command } from 'commander'
import type { Approval, ApprovalList } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { examples } from './examples.ts'

const states = ['pending', 'approved', 'denied', 'expired', 'cancelled', 'abandoned', 'all']

interface ListOptions {
  readonly state: string
  readonly plugin?: string
  readonly watch?: true
}

interface DecideOptions {
  readonly reason?: string
}

/** Adds `approvals`. */
export function addApprovals(program: Command, run: Runner): void {
  const approvals = program
    .command('approvals')
    .description('what plugins want to do that a person has to approve first: list, look, approve, deny')
  examples(approvals, ['approvals', 'approvals --watch', `approvals deny 4f0c2a9d1b7e6358 --reason 'not before the backup'`])
  const list = approvals
    .command('list', { isDefault: true })
    .description('list what waits for a person, newest first')
    .addOption(new Option('--state <state>', 'those in this state').choices(states).default('pending'))
    .option('--plugin <id>', 'only what this plugin wants; `host` for the host itself')
    .option('--watch', 'ask here about what waits and what comes, until Ctrl-C; without a terminal print it')
  examples(list, ['approvals list --state all', 'approvals list --watch', `approvals list --json | jq -r '.approvals[].id'`])
  list.action(
    run(async (session, options: ListOptions) => (options.watch === true ? watch(session, options) : print(session, options))),
  )
  const look = approvals.command('show <id>').description('show one of them with what exactly would be done')
  examples(look, ['approvals show 4f0c2a9d1b7e6358'])
  look.action(
    run(async (session, id: string) => {
      const answer = await approvalOf(session, id)
      show(session, answer, () => approvalText(answer))
    }),
  )
  addDecision(approvals, run, { verb: 'approve', text: 'let it be done, once' })
  addDecision(approvals, run, { verb: 'deny', text: 'refuse it; the plugin is told the reason' })
}

function addDecision(
  approvals: Command,
  run: Runner,
  { verb, text }: { readonly verb: 'approve' | 'deny'; readonly text: string },
): void {
  const command = approvals.command(`${verb} <id>`).description(text).option('--reason <text>', 'why; kept with it')
  examples(command, [`approvals ${verb} 4f0c2a9d1b7e6358 --reason 'agreed with the team'`])
  command.action(
    run(async (session, id: string, { reason }: DecideOptions) => {
      const answer = await decide(session, id, verb, reason)
      show(session, answer, () => printable(`${answer.state}: ${answer.plugin} wants to ${answer.sentence}`).concat('\n'))
    }),
  )
}

async function print(session: Session, options: ListOptions): Promise<void> {
  const answer = await listed(session, options)
  show(session, answer, () =>
    tableText(answer.approvals, [
      ['ID', ({ id }) => id],
      ['ASKED', ({ asked_at }) => asked_at],
      ['STATE', ({ state, by }) => (by === null ? state : `${state} by ${by}`)],
      ['WHO', ({ plugin }) => plugin],
      ['WANTS TO', ({ sentence }) => sentence],
    ]),
  )
}

/** Everything that is open, then what comes; each question once. */
async function watch(session: Session, options: ListOptions): Promise<void> {
  const { terminal } = session
  const signal = terminal.untilBreak()
  const isWanted = (plugin: unknown): boolean => options.plugin === undefined || plugin === options.plugin
  const seen = new Set<string>()
  const { approvals } = await listed(session, { ...options, state: 'pending' })
  for (const one of approvals.toReversed()) {
    if (signal.aborted) return
    seen.add(one.id)
    await take(session, one)
  }
  const onBreak = (): void => terminal.err('the host went away; waiting for it to come back\n')
  // From the first event that is kept: nothing that was asked since the list is missed.
  for await (const { event, data } of follow(session.api(), '/api/events', { since: '0', onBreak, signal })) {
    const { approval: id, plugin } = Object(data) as Readonly<Record<string, unknown>>
    if (event !== 'approval.asked' || typeof id !== 'string' || seen.has(id) || !isWanted(plugin)) continue
    seen.add(id)
    const one = await approvalOf(session, id).catch(unlessGone)
    if (one?.state === 'pending') await take(session, one)
  }
}

/** Only a plain y or n decides; whatever else is typed leaves it open. */
async function take(session: Session, one: Approval): Promise<void> {
  const { terminal, json } = session
  if (json || terminal.ask === undefined) {
    terminal.out(json ? `${printableJson(one)}\n` : `${printable(`${one.id}  ${one.plugin} wants to ${one.sentence}`)}\n`)
    return
  }
  terminal.err(`\n${approvalText(one)}`)
  const answer = (await terminal.ask('Approve this? [y/n, else later] ')).trim().toLowerCase()
  if (answer !== 'y' && answer !== 'n') return terminal.err(`${printable(one.id)} stays open\n`)
  const reason = answer === 'n' ? (await terminal.ask('Why not? The plugin is told: ')).trim() : ''
  try {
    const { state } = await decide(session, one.id, answer === 'y' ? 'approve' : 'deny', reason === '' ? undefined : reason)
    terminal.err(`${printable(`${one.id} ${state}`)}\n`)
  } catch (error) {
    if (!(error instanceof HostError) || error.problem.status !== 409) throw error
    terminal.err(`${printableLine(error.message)}\n`)
  }
}

async function listed(session: Session, { state, plugin }: ListOptions): Promise<ApprovalList> {
  const query = new URLSearchParams({
    ...(state === 'all' ? {} : { state }),
    ...(plugin === undefined ? {} : { plugin }),
    limit: '1000',
  })
  return (await session.api().get(`/api/approvals?${query.toString()}`)) as ApprovalList
}

async function approvalOf(session: Session, id: string): Promise<Approval> {
  return (await session.api().get(`/api/approvals/${encodeURIComponent(id)}`)) as Approval
}

async function decide(session: Session, id: string, verb: 'approve' | 'deny', reason: string | undefined): Promise<Approval> {
  const body = reason === undefined ? {} : { reason }
  return (await session.api().post(`/api/approvals/${encodeURIComponent(id)}/${verb}`, body)) as Approval
}

function unlessGone(error: unknown): undefined {
  if (error instanceof HostError && error.problem.status === 404) return undefined
  throw error
}

function approvalText(one: Approval): string {
  return listText([
    ['id', one.id],
    ['who', one.version === null ? one.plugin : `${one.plugin} ${one.version}`],
    ['wants to', one.sentence],
    ['by', `${one.method} of ${one.point} "${one.name}"`],
    ['with', printableJson(one.input ?? null)],
    ['asked', one.asked_at],
    ['until', one.expires_at],
    ['state', one.by === null ? one.state : `${one.state} by ${one.by} at ${one.decided_at}`],
    ['reason', one.reason],
  ])
}
