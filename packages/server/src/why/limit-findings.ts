import type { Enforcement, LimitName, Limits, PluginRecord, RecordedEvent, TakenAction } from '@backplane/kernel'
import { sentence, type Evidence, type Finding } from './finding.ts'
import { evidenceOf, newestOf } from './plugin-events.ts'

const settings: Readonly<Record<LimitName, keyof Limits | undefined>> = {
  memory: 'memoryMiB',
  cpu: 'cpuPercent',
  processes: 'processes',
  'open-files': 'openFiles',
  'file-size': 'fileBytes',
  tmp: 'tmpBytes',
  data: 'dataBytes',
  concurrency: 'concurrency',
  time: 'timeoutMs',
  stall: 'stallMs',
  message: 'messageBytes',
  state: 'stateBytes',
  output: 'outputBytesPerSecond',
}

/** Which limits it went over, how often, and what was done. */
export function limitFindings(record: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  const told = newestOf(events, record.id, 'limit.exceeded')
  return Object.entries(record.violations).map(([limit, count]): Finding => {
    const name = limit as LimitName
    const mine = told.filter(({ event }) => event.limit === limit)
    const [newest] = mine
    const detail = newest?.event.detail ?? 'what it came to is no longer kept'
    const ended = mine.some(({ event }) => event.action !== 'warn' && event.action !== 'refuse')
    return {
      weight: ended ? 'fault' : 'notice',
      what: `It went over its limit of ${limit} ${times(count)}.`,
      because: sentence(newest === undefined ? detail : `it ${detail}`),
      evidence: [
        ...mine.slice(0, 3).map((one) => evidenceOf(one, `${one.event.detail}: ${actionText(one.event.action)}`)),
        ...ceiling(record, name),
      ],
      hint: `Correct what it does, or raise its limit of ${limit} in the settings.`,
    }
  })
}

/** What it tried and was not granted. */
export function grantFindings(record: PluginRecord, events: readonly RecordedEvent[]): readonly Finding[] {
  if (record.denials === 0) return []
  const told = newestOf(events, record.id, 'grant.denied')
  const wanted = new Set(told.map(({ event }) => event.permission))
  const kept = record.withheld?.filter((permission) => [...wanted].some((one) => isOf(one, permission))) ?? []
  const why = kept.length === 0 ? '' : ` An operator withheld ${kept.join(', ')}.`
  return [
    {
      weight: 'notice',
      what: `It tried ${times(record.denials)} what it was not granted.`,
      because: wanted.size === 0 ? 'What it tried is no longer kept.' : `Its grants do not hold ${[...wanted].join(', ')}.${why}`,
      evidence: told.slice(0, 5).map((one) => evidenceOf(one, `${one.event.permission}: ${one.event.detail}`)),
      hint: 'Grant it where it should be allowed; else ask its author why it tries.',
    },
  ]
}

/** Whether what was tried is what a permission is for: the same, or a file in its directory. */
function isOf(wanted: string, permission: string): boolean {
  return wanted === permission || (permission.startsWith('fs:') && wanted.startsWith(`${permission}/`))
}

/** What it asks for and runs without. */
export function withheldFindings({ id, withheld = [] }: PluginRecord): readonly Finding[] {
  if (withheld.length === 0) return []
  return [
    {
      weight: 'notice',
      what: `It runs without ${withheld.join(', ')}.`,
      because: 'It asks for that, and an operator withheld it.',
      evidence: [],
      hint: `Give it back with \`backplane approve ${id}\` and the permission, if it needs it after all.`,
    },
  ]
}

/** Whether it is watched, or was to be. */
export function auditFindings({ id, audit, grants }: PluginRecord): readonly Finding[] {
  if (audit === undefined) return []
  const what = audit.isOn ? 'It runs in audit mode.' : 'It was to run in audit mode, and does not.'
  const because = audit.isOn
    ? `Uses of its grants are told; what it was not granted is kept from it by its sandbox, not by Node's permission model too${byPrograms(grants)}.`
    : sentence(audit.reason)
  const hint = audit.isOn ? `Look at what it used with \`backplane permissions ${id} --used\`.` : undefined
  return [{ weight: 'notice', what, because, evidence: [], ...(hint === undefined ? {} : { hint }) }]
}

/** A sandbox in which programs are started starts Node as well, which it holds. */
function byPrograms({ exec }: PluginRecord['grants']): string {
  return exec.length === 0 ? '' : '; Node itself it can start, in the same sandbox, because it may start programs'
}

/** What is asked of its tier and not kept there. */
export function enforcementFindings({ enforcement }: PluginRecord): readonly Finding[] {
  const open = enforcement.filter(({ level }) => level === 'none')
  const coarse = enforcement.filter(({ level, mechanism }) => level === 'coarse' && mechanism.endsWith(waivedByPolicy))
  const hint = 'Run it in a stronger tier, or install what is missing (`backplane doctor` names it).'
  const finding = (entries: readonly Enforcement[], what: string, because: string): readonly Finding[] =>
    entries.length === 0 ? [] : [{ weight: 'notice', what, because, evidence: entries.map(evidenceOfEnforcement), hint }]
  return [
    ...finding(
      open,
      `Nothing holds it to ${namesOf(open)}.`,
      'Its tier cannot keep that here, and policy lets it run all the same.',
    ),
    ...finding(coarse, `It is held only coarsely to ${namesOf(coarse)}.`, 'What is missing for more was waived by policy.'),
  ]
}

/** How the kernel marks what a policy waived. */
const waivedByPolicy = 'waived by policy'

function namesOf(entries: readonly Enforcement[]): string {
  return entries.map(({ what }) => what).join(', ')
}

function evidenceOfEnforcement({ what, mechanism }: Enforcement): Evidence {
  return { text: `${what}: ${mechanism}` }
}

function ceiling({ limits, enforcement }: PluginRecord, limit: LimitName): readonly Evidence[] {
  const name = settings[limit]
  const keeper = enforcement.find(({ what }) => what === `limit:${limit}`)
  return [
    ...(name === undefined || limits === undefined ? [] : [{ text: `its limit is ${limits[name]} (${name})` }]),
    ...(keeper === undefined ? [] : [{ text: `kept by ${keeper.mechanism}` }]),
  ]
}

function actionText(action: TakenAction): string {
  switch (action) {
    case 'warn':
      return 'it was told'
    case 'refuse':
      return 'the call was refused or ended'
    case 'restart':
      return 'the generation was ended, the next call starts it again'
    case 'quarantine':
      return 'it was put in quarantine'
    case 'move-back':
      return 'it was on probation, so the version before serves again'
  }
}

/** How often, in words. */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
