import type { RecordedEvent } from '@backplane/kernel'
import type { Finding } from './finding.ts'
import { times } from './limit-findings.ts'
import { evidenceOf, newestOf } from './plugin-events.ts'

/** What it waits for a person with, and what it was not let do. */
export function approvalFindings(plugin: string, events: readonly RecordedEvent[]): readonly Finding[] {
  const asked = newestOf(events, plugin, 'approval.asked')
  const ended = newestOf(events, plugin, 'approval.ended')
  const over = new Set(ended.map(({ event }) => event.approval))
  const open = asked.filter(({ event }) => !over.has(event.approval))
  const refused = ended.filter(({ event }) => event.outcome !== 'approved' && event.outcome !== 'cancelled')
  const sentences = new Map(asked.map(({ event }) => [event.approval, event.sentence]))
  const findings: Finding[] = []
  if (open.length > 0)
    findings.push({
      weight: 'notice',
      what: `It waits for a person ${times(open.length)}.`,
      because: 'What it wants to do is critical, and somebody has to approve it.',
      evidence: open.slice(0, 5).map((one) => evidenceOf(one, `${one.event.approval}: ${one.event.sentence}`)),
      hint: 'Look at it with `backplane approvals`, and approve or deny it.',
    })
  if (refused.length > 0)
    findings.push({
      weight: 'notice',
      what: `What it wanted to do was not approved ${times(refused.length)}.`,
      because: 'Somebody denied it, or nobody decided in time.',
      evidence: refused.slice(0, 5).map((one) => {
        const { approval, method, outcome, reason } = one.event
        return evidenceOf(one, `${sentences.get(approval) ?? method}: ${outcome}${reason === undefined ? '' : `, ${reason}`}`)
      }),
    })
  return findings
}
