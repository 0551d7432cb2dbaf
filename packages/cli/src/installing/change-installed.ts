import type { Applied, Grants, Plan } from '../host-answers.ts'
import { show, type Session } from '../session.ts'
import { agreeOn, readGrantFile, type AgreeOptions, type Approvals, type GrantFile } from './approvals.ts'
import { printableLine } from '@backplane/terminal'
import { planText } from './plan-text.ts'
import { progressBar } from './progress-bar.ts'

/** A change as the API takes it. */
export type Change = Readonly<Record<string, unknown>>

/** What changes come to, with what is to be kept from what comes. */
export async function planOf(session: Session, changes: readonly Change[], file?: GrantFile): Promise<Plan> {
  using bar = progressBar(session.terminal, session.json)
  return (await session.api().change('/api/plugins/plan', { changes, ...withheldIn(file) }, bar.show)) as Plan
}

/** The part of a request that says what is withheld. */
export function withheldIn(file: GrantFile | undefined): { readonly withheld?: Approvals } {
  const kept = Object.entries(file?.withheld ?? {}).filter(([, permissions]) => permissions.length > 0)
  return kept.length === 0 ? {} : { withheld: Object.fromEntries(kept) }
}

/** Plans changes, shows them, has them agreed to, and does exactly what was shown. Answers the exit code. */
export async function changeInstalled(session: Session, changes: readonly Change[], options: AgreeOptions): Promise<number> {
  const file = await readGrantFile(options)
  const plan = await planOf(session, changes, file)
  if (plan.pending && !session.json) session.terminal.err(planText(session.terminal, plan))
  const approvals = await agreeOn(session, plan, { ...options, file })
  const done = await applyPlan(session, { changes, etag: plan.etag, approvals, ...withheldIn(file) })
  return (await tellNotWithheld(session, plan, file)) ? 1 : done
}

/** Tells from which plugins nothing is withheld although a file says so, because they are there and do not come anew. */
export async function tellNotWithheld(session: Session, { steps }: Plan, file: GrantFile | undefined): Promise<boolean> {
  const coming = new Set(steps.flatMap(({ kind, id }) => (kind === 'remove' ? [] : [id])))
  const wanted = Object.entries(withheldIn(file).withheld ?? {}).filter(([id]) => !coming.has(id))
  if (wanted.length === 0) return false
  const { grants } = (await session.api().get('/api/grants')) as Grants
  const left = wanted.flatMap(([id, permissions]) => {
    const kept = grants.find((one) => one.id === id)
    return kept === undefined || permissions.every((each) => kept.withheld?.includes(each) === true) ? [] : [id]
  })
  for (const id of left) {
    const todo = 'backplane grants withhold --grant-file <file>'
    session.terminal.err(`${printableLine(`${id} is there already, and nothing more is withheld from it: ${todo}`)}\n`)
  }
  return left.length > 0
}

/** Does what was planned. Answers 1 when a plugin that came does not run. */
export async function applyPlan(session: Session, order: Readonly<Record<string, unknown>>): Promise<number> {
  using bar = progressBar(session.terminal, session.json)
  const answer = (await session.api().change('/api/plugins/apply', order, bar.show)) as Applied
  bar[Symbol.dispose]()
  show(session, answer, () => `${printableLine(answer.message)}\n`)
  const failed = answer.plugins.filter(({ state, update }) => state === 'failed' || state === 'quarantined' || update != null)
  for (const { id, reason, update } of failed) {
    const why = update?.failure.message ?? reason ?? 'see `backplane why`'
    session.terminal.err(`${printableLine(`${id} does not run as it should: ${why}`)}\n`)
  }
  return failed.length === 0 ? 0 : 1
}
