import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { didYouMean } from '@backplane/sdk'
import { printable, tableText } from '@backplane/terminal'
import type { Command } from 'commander'
import { apply } from '../../changes/apply.ts'
import type { Step } from '../../changes/step.ts'
import { exliarErrors } from '../../errors.ts'
import { deviceFacts, preStartOf, watchCallbacks } from '../../lifecycle/machine-runs.ts'
import { planHookInstall } from '../../vm/install-hook.ts'
import { readWatchTask, runWatch } from '../../vm/run-watch.ts'
import { prepareMachine, startMachine, withdrawAfterRun, type MachinePreparation } from '../../vm/start-machine.ts'
import { readyLine } from '../../vm/start-watch.ts'
import { pendingWithdrawals, throughJournal } from '../../vm/through-journal.ts'
import { connectVirsh, type Virsh } from '../../vm/virsh.ts'
import { runVmHook } from '../../vm/vm-hook.ts'
import { openMachineChanges } from '../change-work.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'

/** Adds `vm` and what libvirt's hook calls. */
export function addMachines(program: Command, run: Runner): void {
  const vm = program.command('vm').description('virtual machines: what plugins change before a start, and starting them')
  examples(vm, ['vm', 'vm prepare win11', 'vm start win11', 'vm hooks install'])
  vm.action(run(async (session) => list(session)))
  examples(vm.command('list').description('every machine of libvirt'), ['vm list', 'vm list --json']).action(
    run(async (session) => list(session)),
  )
  examples(
    vm.command('prepare <name>').description('ask the plugins, and make what they change last, for machines that others start'),
    ['vm prepare win11 --dry-run', 'vm prepare win11'],
  )
    .option('--dry-run', 'only show it')
    .action(run(async (session, name: string, { dryRun = false }: { dryRun?: boolean }) => prepare(session, name, dryRun)))
  examples(
    vm
      .command('start <name>')
      .description('ask the plugins, show and journal what they change, and start; afterwards the old configuration comes back'),
    ['vm start win11'],
  ).action(run(async (session, name: string) => start(session, name)))
  examples(
    vm
      .command('restore <name>')
      .description('bring back the configuration from before the last start, once the machine has ended'),
    ['vm restore win11'],
  ).action(run(async (session, name: string) => restore(session, name)))
  addHooks(vm, run)
  program
    .command('vm-hook <args...>', { hidden: true })
    .allowUnknownOption()
    .action(run(async (session, args: readonly string[]) => answerHook(session, args)))
  program.command('vm-watch', { hidden: true }).action(run(async (session) => watch(session)))
}

function addHooks(vm: Command, run: Runner): void {
  const hooks = vm.command('hooks').description('libvirt’s own hook, which asks plugins whoever starts a machine')
  examples(hooks, ['vm hooks install'])
  const install = hooks.command('install').description('put the hook where libvirt looks; `exliar cleanup` takes it away again')
  examples(install, ['vm hooks install'])
  install.action(
    run(async (session) => {
      const command = [...ownCommand(session), 'vm-hook']
      const isFailClosed = session.config.vm.fail_closed
      const libvirtVersion = await virshOf(session).version(session.terminal.signal)
      const { steps, notes } = planHookInstall(session.tree, { command, isFailClosed, libvirtVersion })
      if (steps.length > 0) await journalled(session, 'put libvirt’s hook in place', steps)
      session.show({ installed: steps.length > 0, notes }, () =>
        [steps.length > 0 ? 'The hook is in place.' : 'The hook was in place already.', ...notes, ''].join('\n'),
      )
    }),
  )
}

/** How this very program is called again, by whomever. */
function ownCommand({ tree, config }: Session): readonly string[] {
  const script = fileURLToPath(import.meta.url.replace(/\/program\/verbs\/[^/]*$/, `/exliar${extension}`))
  const flags = [...process.execArgv.filter((flag) => flag.startsWith('--conditions')), script]
  const where = tree.isThisMachine ? [] : ['--root', tree.root]
  return [process.execPath, ...flags, ...where, ...(config.file === undefined ? [] : ['--config', config.file])]
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

/** A copy's machines are not this machine's: which libvirt is meant has to be said. */
function virshOf({ config, tree }: Session): Virsh {
  const uri = config.vm.connect ?? (tree.isThisMachine ? 'qemu:///system' : undefined)
  if (uri === undefined) throw exliarErrors.error('VM_CONNECTION_UNSAID', { root: tree.root })
  return connectVirsh({ uri })
}

/** Brings back what a run that nobody watched left. */
async function settle(session: Session): Promise<void> {
  const { terminal, tree } = session
  for (const uuid of await pendingWithdrawals(tree.hostPath(runDirectory))) {
    const { withdraw } = journalOf(session)
    await withdrawAfterRun({ virsh: virshOf(session), uuid, withdraw, signal: terminal.signal }).catch((error: Error) =>
      session.warn(`a machine is not as it was before its last run: ${error.message}`),
    )
  }
}

async function list(session: Session): Promise<void> {
  await settle(session)
  const virsh = virshOf(session)
  const { signal } = session.terminal
  const machines = await virsh.list(signal)
  const told = await Promise.all(
    machines.map(async ({ name, uuid }) => {
      const { state, reason } = await virsh.state(uuid, signal)
      return { name, uuid, state, reason }
    }),
  )
  session.show({ machines: told }, () =>
    tableText(told, [
      ['MACHINE', ({ name }) => name],
      ['STATE', ({ state }) => state],
      ['WHY', ({ reason }) => reason],
      ['ID', ({ uuid }) => uuid],
    ]),
  )
}

async function prepare(session: Session, name: string, dryRun: boolean): Promise<void> {
  const { hooks } = await session.plugins()
  const { signal } = session.terminal
  const parts = { virsh: virshOf(session), facts: deviceFacts(session.tree), preStart: preStartOf(hooks, signal), signal }
  await uuidOf(parts.virsh, name, signal)
  const preparation = await prepareMachine(name, parts)
  const prepared = !dryRun && preparation.step !== undefined
  if (prepared && preparation.step !== undefined) await journalOf(session).define(preparation.step, 'keep')
  session.show({ ...preparationJson(preparation), prepared }, () => preparationText(name, preparation))
}

async function start(session: Session, name: string): Promise<void> {
  await settle(session)
  const { hooks } = await session.plugins()
  const { terminal, tree, config } = session
  const { signal } = terminal
  const parts = { virsh: virshOf(session), facts: deviceFacts(tree), preStart: preStartOf(hooks, signal), signal }
  await uuidOf(parts.virsh, name, signal)
  const preparation = await startMachine(name, {
    ...parts,
    ...journalOf(session),
    // With --json the answer says it.
    show: async (made) => (session.json ? undefined : terminal.err(preparationText(name, made))),
    persist: config.vm.after,
  })
  session.show({ ...preparationJson(preparation), started: true }, () => `${printable(name)} runs.\n`)
}

async function restore(session: Session, name: string): Promise<number> {
  const virsh = virshOf(session)
  const { signal } = session.terminal
  const uuid = await uuidOf(virsh, name, signal)
  const isPending = (await pendingWithdrawals(session.tree.hostPath(runDirectory))).includes(uuid)
  const ended = await withdrawAfterRun({ virsh, uuid, withdraw: journalOf(session).withdraw, signal })
  session.show({ restored: ended && isPending }, () => {
    if (!ended) return `${printable(name)} still runs.\n`
    if (isPending) return `${printable(name)} is as it was before.\n`
    return 'No start left anything to bring back. What was prepared to last is taken back by `exliar rollback` or `cleanup`.\n'
  })
  return ended ? 0 : 1
}

/** Of a machine by its name or by that. Errors: `VM_UNKNOWN` with the nearest name. */
async function uuidOf(virsh: Virsh, name: string, signal: AbortSignal): Promise<string> {
  const machines = await virsh.list(signal)
  const machine = machines.find((one) => one.name === name || one.uuid === name)
  if (machine !== undefined) return machine.uuid
  const names = machines.map((one) => one.name)
  throw exliarErrors.error('VM_UNKNOWN', { name, suggestion: didYouMean(name, names) })
}

/** Machines are defined through the journal, and what ends with a run is remembered beside its watch. */
function journalOf({ tree }: Session): ReturnType<typeof throughJournal> {
  return throughJournal({ openChanges: () => openMachineChanges(tree), directory: tree.hostPath(runDirectory) })
}

async function journalled(session: Session, title: string, steps: readonly Step[]): Promise<void> {
  await using changes = await openMachineChanges(session.tree)
  const applied = await apply(changes, { title, stages: [{ subject: null, steps }] })
  if (applied.kind === 'rolled-back') throw applied.error
}

/** Answers libvirt: reasons go to standard error, which it shows, and nothing to standard output, which it would take for XML. */
async function answerHook(session: Session, args: readonly string[]): Promise<number> {
  const { tree, terminal, config } = session
  const { hooks } = await session.plugins()
  const { exitCode, messages } = await runVmHook(
    { args, xml: await text(process.stdin) },
    {
      directory: tree.hostPath(runDirectory),
      facts: deviceFacts(tree),
      preStart: preStartOf(hooks, terminal.signal),
      unprepared: config.vm.missing_changes,
      watchCommand: [...ownCommand(session), 'vm-watch'],
    },
  )
  for (const message of messages) terminal.err(`${printable(message)}\n`)
  return exitCode
}

const runDirectory = '/run/exliar-vfio'

/** Stays while a machine runs, and hosts the plugins of the run; then brings the old configuration back. */
async function watch(session: Session): Promise<void> {
  const { terminal, config } = session
  const task = await readWatchTask(process.stdin)
  const { hooks } = await session.plugins()
  const virsh = virshOf(session)
  const log = (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    terminal.err(`${printable(`${message} ${inspect(fields, { breakLength: Infinity })}`)}\n`)
  await runWatch({
    ...watchCallbacks(hooks, terminal.signal),
    task,
    ready: () => terminal.out(readyLine),
    state: (uuid, signal) => virsh.state(uuid, signal),
    log,
    signal: terminal.signal,
  })
  if (config.vm.after === 'keep' || terminal.signal.aborted) return
  const { withdraw } = journalOf(session)
  await withdrawAfterRun({ virsh, uuid: task.config.uuid, withdraw, signal: terminal.signal })
}

function preparationJson({ uuid, config, changes, diff }: MachinePreparation): Readonly<Record<string, unknown>> {
  return { uuid, config, changes, diff }
}

function preparationText(name: string, { changes, diff }: MachinePreparation): string {
  if (diff === '') return `Plugins change nothing of ${printable(name)}.\n`
  const lines = changes.map(({ plugin, fields }) => `${plugin} changes ${fields.join(', ')}`)
  return `${[...lines, '', ...diff.trimEnd().split('\n')].map(printable).join('\n')}\n`
}
