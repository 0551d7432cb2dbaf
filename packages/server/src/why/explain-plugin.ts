import type { Failure, PluginRecord, RecordedEvent } from '@backplane/kernel'
import { approvalFindings } from './approval-findings.ts'
import type { Finding } from './finding.ts'
import { healthFindings } from './health-findings.ts'
import { auditFindings, enforcementFindings, grantFindings, limitFindings, times, withheldFindings } from './limit-findings.ts'
import { speedFindings } from './speed-findings.ts'
import { stateFinding } from './state-findings.ts'
import { versionFindings } from './version-findings.ts'

/** What was looked at beside its record and its events. */
export interface Looked {
  /** Names of the files of its profiles that the host kept. */
  readonly profiles?: readonly string[]
  /** What keeps it from being started by its first call. */
  readonly refusal?: Failure | undefined
}

const order: readonly Finding['weight'][] = ['fault', 'notice', 'fine']

/**
 * Explains one plugin from what the kernel knows of it: why it is in its state, what it was refused, which limits it went
 * over, which version serves and why, and what makes it slow; each with its evidence. Pure. Its state comes first, then
 * faults before notices. The events are those that are still kept.
 */
export function explainPlugin(
  record: PluginRecord,
  events: readonly RecordedEvent[],
  { profiles = [], refusal }: Looked = {},
): readonly Finding[] {
  const rest = [
    ...healthFindings(record, events),
    ...limitFindings(record, events),
    ...grantFindings(record, events),
    ...withheldFindings(record),
    ...auditFindings(record),
    ...approvalFindings(record.id, events),
    ...versionFindings(record, events),
    ...speedFindings(record),
    ...profileFindings(profiles),
    ...enforcementFindings(record),
    ...trustFindings(record),
    ...placeFindings(record),
  ]
  const sorted = rest.toSorted((one, other) => order.indexOf(one.weight) - order.indexOf(other.weight))
  return [stateFinding(record, events, refusal), ...sorted]
}

function profileFindings(profiles: readonly string[]): readonly Finding[] {
  if (profiles.length === 0) return []
  return [
    {
      weight: 'notice',
      what: `It was profiled by itself ${times(profiles.length)}.`,
      because: 'Its event loop stood still again, or it used more of the processor than it may.',
      evidence: profiles.slice(-3).map((text) => ({ text })),
      hint: 'Open the newest file, in the profiles directory of the host, to see in which function.',
    },
  ]
}

/** What a policy let pass is told as long as it runs. */
function trustFindings({ trust }: PluginRecord): readonly Finding[] {
  if (trust === undefined || trust.waived.length === 0) return []
  return [
    {
      weight: 'notice',
      what: trust.level === 'signed' ? 'Something about it was let pass.' : 'It runs though nobody known signed it.',
      because: 'The trust policy of the host says so.',
      evidence: trust.waived.map((text) => ({ text })),
      hint: 'Look at `allowUnsigned`, `development` and the exceptions of the trust policy, and take out what is needed no more.',
    },
  ]
}

function placeFindings({ shadowed, notes, path }: PluginRecord): readonly Finding[] {
  return [
    ...notes.map((note): Finding => ({ weight: 'notice', what: note, because: 'Its manifest says so.', evidence: [] })),
    ...shadowed.map((other): Finding => ({
      weight: 'notice',
      what: `${other} has the same id and is left out.`,
      because: `${path} comes before it.`,
      evidence: [],
    })),
  ]
}
