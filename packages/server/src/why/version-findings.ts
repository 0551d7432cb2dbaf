import type { PluginRecord, RecordedEvent } from '@backplane/kernel'
import { sentence, type Finding } from './finding.ts'
import { evidenceOf, newestOf } from './plugin-events.ts'

/** Why this version serves and not another. */
export function versionFindings(record: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  return [
    ...heldFindings(record, events),
    ...pinFindings(record),
    ...updateFindings(record, events),
    ...probationFindings(record),
  ]
}

function heldFindings({ id, held }: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  if (held === undefined) return []
  const moved = newestOf(events, id, 'plugin.moved-back').slice(0, 3)
  const failure = held.why === 'failed' ? held.update?.failure : undefined
  const because = {
    'moved back': `Version ${held.against.version} was worse and was taken back by itself.`,
    failed:
      failure === undefined
        ? `Version ${held.against.version} could not be started.`
        : `Version ${held.against.version} could not be started: ${failure.message}. (${failure.code}, stage ${failure.stage})`,
    'rolled back': `Somebody rolled ${held.against.version} back.`,
    'not approved': `Version ${held.against.version} asks for permissions that nobody approved.`,
  }[held.why]
  return [
    {
      weight: held.why === 'rolled back' ? 'notice' : 'fault',
      what: `Version ${held.to.version} serves though the sources have ${held.against.version}.`,
      because,
      evidence: [
        ...moved.map((one) => evidenceOf(one, `${one.event.from} → ${one.event.to}: ${one.event.reason}, ${one.event.evidence}`)),
        ...(held.update === undefined || failure !== undefined
          ? []
          : [{ text: held.update.failure.message, atMs: held.update.atMs }]),
        { text: `held since ${new Date(held.sinceMs).toISOString()}`, atMs: held.sinceMs },
      ],
      hint:
        held.why === 'not approved'
          ? `Approve what ${held.against.version} asks for with \`backplane approve ${id}\`, or install another version.`
          : (failure?.hint ?? `Install another version, or reload ${id} to try ${held.against.version} again.`),
    },
  ]
}

function pinFindings({ id, pinned }: PluginRecord): readonly Finding[] {
  if (pinned === undefined) return []
  const hint = `Unpin ${id} to let newer versions in.`
  const because = 'Somebody pinned it; other versions that the sources have are ignored.'
  return [{ weight: 'notice', what: `It is pinned to ${pinned}.`, because, evidence: [], hint }]
}

function updateFindings({ id, version, update, held }: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  if (update === undefined || held !== undefined) return []
  const { failure } = update
  return [
    {
      weight: 'fault',
      what: `The update to ${update.version} failed; ${version} goes on.`,
      because: `${sentence(failure.message)} (${failure.code}, stage ${failure.stage})`,
      evidence: newestOf(events, id, 'plugin.update-failed')
        .slice(0, 3)
        .map((one) => evidenceOf(one, `${one.event.version}: ${one.event.failure.message}`)),
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    },
  ]
}

function probationFindings({ version, probation }: PluginRecord): readonly Finding[] {
  if (probation === undefined) return []
  const until = new Date(probation.untilMs).toISOString()
  const { generation } = probation
  const ready = generation === undefined ? 'a fresh generation of' : `generation ${generation}, kept ready, of`
  return [
    {
      weight: 'notice',
      what: `Version ${version} is on probation until ${until}.`,
      because: `It is new; ${ready} ${probation.version} takes over again if it does worse.`,
      evidence: [],
    },
  ]
}
