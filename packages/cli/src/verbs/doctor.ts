import type { Command } from 'commander'
import { HostError } from '@backplane/server/client'
import type { PluginList, StorageFindings, System } from '../host-answers.ts'
import { progressBar } from '../installing/progress-bar.ts'
import { show, type Runner, type Session } from '../session.ts'
import { highlight, printable, printableLine, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Without these, plugins of strangers do not run, or run less apart than their tier promises. */
const needed: ReadonlySet<string> = new Set(['node-permissions', 'sandbox', 'system-call-filter', 'lifetime'])

/** Adds `doctor`. */
export function addDoctor(program: Command, run: Runner): void {
  const doctor = program
    .command('doctor')
    .description('say what this machine has to hold plugins with, what is missing and how to get it')
    .option('--fix', 'put right what is wrong with what the host keeps on its disk, and say what was done')
    .option('--strict', 'every layer is needed, not only what the sandbox is made of')
  examples(
    doctor,
    ['doctor', 'doctor --strict --json', 'doctor --socket /run/hypersdk/hypervisord.sock', 'doctor --fix'],
    'With a host, what that host found, as its user and in its container; else what there is here.\n--fix removes leftovers, moves aside what is damaged or nobody’s, and fetches again what the lock names; without it nothing is\nchanged. Ends with 1 when something needed is missing, or not as it should be.',
  )
  doctor.action(run(examine))
}

interface DoctorOptions {
  readonly strict?: boolean
  readonly fix?: boolean
}

async function examine(session: Session, { strict = false, fix = false }: DoctorOptions): Promise<number> {
  if (fix) return repair(session)
  const found = session.hasHost
    ? ((await session.api().get('/api/system')) as System)
    : (await import('@backplane/runtimes')).probeSystem()
  const missing = found.layers.filter(({ layer, available }) => !available && (strict || needed.has(layer)))
  const storage = session.hasHost ? await findingsOf(session) : undefined
  const { terminal } = session
  const isHealthy = missing.length === 0 && storage?.ok !== false
  show(
    session,
    { ...found, ...(storage === undefined ? {} : { storage }), healthy: isHealthy, needed: missing.map(({ layer }) => layer) },
    () =>
      tableText(found.layers, [
        ['LAYER', ({ layer }) => layer],
        ['HERE', ({ layer, available }) => (available ? 'yes' : strict || needed.has(layer) ? 'MISSING' : 'no')],
        ['MECHANISM', ({ mechanism }) => mechanism],
        ['WHAT IS MISSING', (one) => one.missing ?? null],
        ['HOW TO GET IT', (one) => one.install ?? null],
      ]),
  )
  if (found.layers.length === 0) terminal.err('the host does not say what it has to hold plugins with\n')
  for (const { layer, detail, install } of missing) {
    const how = install == null ? '' : ` Run: ${install}`
    terminal.err(`${highlight(terminal, 'red', printable(layer))} is missing. ${printableLine(`${detail}${how}`)}\n`)
  }
  for (const { subject, problem, action } of storage?.findings ?? []) {
    terminal.err(
      `${highlight(terminal, 'red', printable(subject))}: ${printableLine(`${problem}; ${action}`)}. Run: backplane doctor --fix\n`,
    )
  }
  if (session.hasHost) await tellAudited(session)
  return !isHealthy || found.layers.length === 0 ? 1 : 0
}

/** Audit mode is nothing to be left on unseen. */
async function tellAudited({ api, terminal }: Session): Promise<void> {
  for (const { id, audit } of await pluginsOf(api())) {
    if (audit == null) continue
    const how = audit.on
      ? 'runs in audit mode: its sandbox alone denies what it was not granted'
      : `was to run in audit mode, and does not: ${audit.reason ?? ''}`
    terminal.err(`${printableLine(`${id} ${how}`)}\n`)
  }
}

/** None where the host does not tell whoever asks. */
async function pluginsOf(api: ReturnType<Session['api']>): Promise<PluginList['plugins']> {
  try {
    return ((await api.get('/api/plugins')) as PluginList).plugins ?? []
  } catch (error) {
    if (error instanceof HostError) return []
    throw error
  }
}

/** Undefined where the host keeps no packages, is older, or does not tell whoever asks. */
async function findingsOf(session: Session): Promise<StorageFindings | undefined> {
  try {
    return (await session.api().get('/api/store/findings')) as StorageFindings
  } catch (error) {
    if (error instanceof HostError && [403, 404, 405].includes(error.problem.status)) return undefined
    throw error
  }
}

async function repair(session: Session): Promise<number> {
  using bar = progressBar(session.terminal, session.json)
  const answer = (await session.api().change('/api/store/repair', {}, bar.show)) as StorageFindings
  bar[Symbol.dispose]()
  show(session, answer, () => {
    if (answer.findings.length === 0) return 'nothing to put right\n'
    return answer.findings
      .map(({ subject, problem, action, fixed }) => printableLine(`${fixed ? '✓' : '✗'} ${subject}: ${problem}; ${action}`))
      .map((line) => `${line}\n`)
      .join('')
  })
  return answer.ok ? 0 : 1
}
