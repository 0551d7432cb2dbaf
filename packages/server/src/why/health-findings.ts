import type { PluginRecord, RecordedEvent } from '@backplane/kernel'
import { causeText } from '../api/plugin-condition.ts'
import { sentence, type Evidence, type Finding } from './finding.ts'
import { times } from './limit-findings.ts'
import { evidenceOf, newestOf } from './plugin-events.ts'

/** Whether it answers well, ended lately, or is not asked because it fails. */
export function healthFindings(record: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  return [...looks(record), ...ends(record, events), ...breakers(record, events)]
}

function looks({ health }: PluginRecord): readonly Finding[] {
  if (health === undefined || health.failures === 0) return []
  return [
    {
      weight: 'fault',
      what: 'It does not do well.',
      because: sentence(health.problem ?? 'it gave no good answer'),
      evidence: [{ text: `${health.failures} looks in a row without a good answer`, atMs: health.atMs }],
      hint: 'Look at its log; it is ended and started again when this goes on.',
    },
  ]
}

function ends({ id, state, lastExit }: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  if (lastExit === undefined || state.name !== 'active') return []
  const exits = newestOf(events, id, 'plugin.exited')
  const lines = 'lastLines' in lastExit.cause ? lastExit.cause.lastLines : []
  return [
    {
      weight: 'notice',
      what: `It ended unexpectedly ${times(Math.max(1, exits.length))}, and was started again.`,
      because: sentence(causeText(lastExit.cause)),
      evidence: [
        ...exits.slice(0, 3).map((one) => evidenceOf(one, `generation ${one.event.generation}: ${causeText(one.event.cause)}`)),
        ...lines.slice(-5).map((line): Evidence => ({ text: `it wrote: ${line}` })),
      ],
      hint: 'Look at its log of that time.',
    },
  ]
}

function breakers({ id, breakers: all }: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  const open = all.filter(({ state }) => state !== 'closed')
  const fellBack = newestOf(events, id, 'call.fell-back').slice(0, 3)
  return open.map(({ point, name, state, failures, retryAtMs }) => ({
    weight: 'fault',
    what: state === 'open' ? `${point} "${name}" is not asked for now.` : `${point} "${name}" is being tried again.`,
    because: `It failed ${times(failures)} in a row, so its breaker is ${state}.`,
    evidence: [
      ...newestOf(events, id, 'breaker.changed')
        .filter(({ event }) => event.point === point && event.name === name)
        .slice(0, 3)
        .map((one) => evidenceOf(one, `breaker → ${one.event.to} after ${one.event.failures} failures`)),
      ...(retryAtMs === undefined
        ? []
        : [{ text: `one call may try it at ${new Date(retryAtMs).toISOString()}`, atMs: retryAtMs }]),
      ...fellBack.map((one) => evidenceOf(one, `a call of ${one.event.method} went to ${one.event.to}`)),
    ],
    hint: 'Look at the errors in its log; it closes by itself when a call succeeds.',
  }))
}
