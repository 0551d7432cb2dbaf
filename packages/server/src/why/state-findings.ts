import type { Failure, PluginRecord, PluginState, RecordedEvent } from '@backplane/kernel'
import { causeText } from '../api/plugin-condition.ts'
import { sentence, type Evidence, type Finding } from './finding.ts'
import { evidenceOf, newestOf } from './plugin-events.ts'

/** Why it is in its state. */
export function stateFinding(record: PluginRecord, events: readonly RecordedEvent[], refusal?: Failure): Finding {
  const changed = newestOf(events, record.id, 'plugin.changed').find(({ event }) => event.to === record.state.name)
  const since = new Date(record.sinceMs).toISOString()
  const became: Evidence =
    changed === undefined
      ? { text: `${record.state.name} since ${since}`, atMs: record.sinceMs }
      : evidenceOf(changed, `${changed.event.from ?? 'nothing'} → ${changed.event.to}, generation ${changed.event.generation}`)
  const said =
    refusal === undefined
      ? stateText(record, record.state)
      : failureText(`${record.id} does not run, and its first call will be refused.`, refusal)
  return { ...said, evidence: [became, ...exitEvidence(record)] }
}

function stateText(record: PluginRecord, state: PluginState): Omit<Finding, 'evidence'> {
  const { id } = record
  switch (state.name) {
    case 'active':
      return {
        weight: 'fine',
        what: `${id} ${record.version} runs.`,
        because: `Generation ${state.generation} was started in tier ${state.tier} (pid ${state.pid}) and is called.`,
      }
    case 'idle':
      return { weight: 'fine', what: `${id} does not run.`, because: 'Nothing has called it yet; its first call starts it.' }
    case 'starting':
      return { weight: 'notice', what: `${id} is starting.`, because: 'Its setup is not over.' }
    case 'discovered':
    case 'checked':
    case 'resolved':
      return { weight: 'notice', what: `${id} is being looked at.`, because: `It is ${state.name}.` }
    case 'blocked':
      return {
        weight: 'fault',
        what: `${id} waits for approval.`,
        because: sentence(state.reason),
        hint: `Look at what it asks for with \`backplane permissions ${id}\`, and approve it with \`backplane approve ${id}\`.`,
      }
    case 'draining':
      return {
        weight: 'notice',
        what: `${id} is being stopped.`,
        because: sentence(`${state.reason}; ${state.calls} calls are still running`),
      }
    case 'stopped':
      return { weight: 'notice', what: `${id} does not run.`, because: sentence(state.reason) }
    case 'disabled':
      return {
        weight: 'fault',
        what: `${id} is switched off.`,
        because: sentence(state.reason),
        hint: offHint(record, state.reason),
      }
    case 'failed':
      return failureText(`${id} failed at stage ${state.failure.stage}.`, state.failure)
    case 'quarantined':
      return failureText(`${id} is in quarantine and takes no calls.`, state.failure, `Look at its log, then release ${id}.`)
  }
}

/** Whoever is kept off by the host's settings stays off when it is enabled. */
function offHint({ id }: PluginRecord, reason: string): string {
  if (reason.includes('-list')) return "Change the allow-list or deny-list in the host's settings."
  return reason.includes('safe mode') ? 'Start the host without safe mode.' : `Enable ${id}.`
}

/** With the trace of an uncaught error, what was written before it is seen too. */
const shownLines = 10

function failureText(what: string, { code, message, hint }: Failure, otherwise?: string): Omit<Finding, 'evidence'> {
  const advice = hint ?? otherwise
  return { weight: 'fault', what, because: `${sentence(message)} (${code})`, ...(advice === undefined ? {} : { hint: advice }) }
}

/** A plugin that runs again still has its last end; there it is a finding of its own. */
function exitEvidence({ state, lastExit }: PluginRecord): readonly Evidence[] {
  if (lastExit === undefined || state.name === 'active') return []
  const lines = 'lastLines' in lastExit.cause ? lastExit.cause.lastLines : []
  const end = `generation ${lastExit.generation} ended: ${causeText(lastExit.cause)}`
  return [{ text: end, atMs: lastExit.atMs }, ...lines.slice(-shownLines).map((line) => ({ text: `it wrote: ${line}` }))]
}
