import type { Applied, Plan } from '../host-answers.ts'
import { show, type Session } from '../session.ts'
import { agreeOn, type AgreeOptions } from './approvals.ts'
import { printableLine } from '@backplane/terminal'
import { planText } from './plan-text.ts'
import { progressBar } from './progress-bar.ts'

/** A change as the API takes it. */
export type Change = Readonly<Record<string, unknown>>

/** What changes come to. */
export async function planOf(session: Session, changes: readonly Change[]): Promise<Plan> {
  using bar = progressBar(session.terminal, session.json)
  return (await session.api().change('/api/plugins/plan', { changes }, bar.show)) as Plan
}

/** Plans changes, shows them, has them agreed to, and does exactly what was shown. Answers the exit code. */
export async function changeInstalled(session: Session, changes: readonly Change[], options: AgreeOptions): Promise<number> {
  const plan = await planOf(session, changes)
  if (plan.pending && !session.json) session.terminal.err(planText(session.terminal, plan))
  const approvals = await agreeOn(session, plan, options)
  return applyPlan(session, { changes, etag: plan.etag, approvals })
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
