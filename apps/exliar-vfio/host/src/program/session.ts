import type { ApprovalAnswer, ApprovalRequest, Kernel, Log, Store } from '@backplane/kernel'
import { sqliteStore } from '@backplane/storage'
import { highlight, printable, printableJson, show } from '@backplane/terminal'
import { join } from 'node:path'
import type { ExliarConfig } from '../config/exliar-config.ts'
import { unmetNames } from '../config/unmet-names.ts'
import { detect, type Detection } from '../lifecycle/detect.ts'
import type { HookOf } from '../lifecycle/machine-services.ts'
import { HookRuns } from '../lifecycle/hook-runs.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { CoreServices } from '../plugins/core-services.ts'
import { exliarKernel } from '../plugins/exliar-kernel.ts'
import { Hooks, type HookRun } from '../plugins/hook-run.ts'
import type { ExliarTrust } from '../plugins/plugin-trust.ts'
import type { Changes } from '../changes/open-changes.ts'
import { exliarErrors } from '../errors.ts'
import { askedDesk, type Approver } from './approvals/asked-desk.ts'
import { terminalApprover } from './approvals/terminal-approver.ts'
import { openMachineChanges } from './change-work.ts'
import { makeStateDirectory } from './state-directory.ts'
import type { Terminal } from './terminal.ts'

/** What the whole command line says before its verb. */
export interface SessionOptions {
  readonly terminal: Terminal
  readonly json: boolean
  readonly tree: MachineTree
  readonly config: ExliarConfig
  readonly stateDirectory: string
  readonly services: (hookOf: HookOf) => CoreServices
  readonly log: Log
  readonly safeMode: boolean
}

/** The plugins at work. */
export interface PluginWork {
  readonly kernel: Kernel
  readonly trust: ExliarTrust
  readonly hooks: Hooks
  readonly runs: HookRuns
}

/** What a verb works with; plugins are started when a verb first needs them, and stopped when it has ended. */
export class Session implements AsyncDisposable {
  readonly terminal: Terminal
  readonly json: boolean
  readonly tree: MachineTree
  readonly config: ExliarConfig
  readonly #options: SessionOptions
  readonly #held = new AsyncDisposableStack()
  /** Told of every run of a hook, in order, beside what is kept. */
  onHookRun: ((run: HookRun) => void) | undefined
  /** Asked before a plugin's critical operations; by default who sits at the terminal. */
  approver: Approver
  #work: Promise<PluginWork> | undefined
  /** Something is applied or taken back. */
  #isChanging = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.terminal = options.terminal
    this.json = options.json
    this.tree = options.tree
    this.config = options.config
    this.approver = terminalApprover(options.terminal)
  }

  /** Shows an answer: as it is with `--json`, else as text. */
  show(answer: unknown, text: () => string): void {
    show(this, answer, text)
  }

  /** Says what went on without: to people in a line, with `--json` as an object in one. */
  warn(message: string): void {
    const { terminal } = this
    const line = this.json
      ? printableJson({ level: 'warn', message })
      : `${highlight(terminal, 'yellow', 'passed over')}: ${printable(message)}`
    terminal.err(`${line}\n`)
  }

  plugins(): Promise<PluginWork> {
    this.#work ??= this.#start()
    return this.#work
  }

  /**
   * Sole access to the changes of this machine. Until it is disposed nobody is asked about a plugin's critical operations: the answer
   * is no, because what is done now was agreed to as it was shown. Errors: `CHANGES_BUSY`, `JOURNAL_DAMAGED`.
   */
  async openChanges(): Promise<Changes> {
    const changes = await openMachineChanges(this.tree)
    this.#isChanging = true
    const dispose = async (): Promise<void> => {
      this.#isChanging = false
      await changes[Symbol.asyncDispose]()
    }
    return { ...changes, [Symbol.asyncDispose]: dispose }
  }

  /** The detection phase, with all plugins. */
  async detect(): Promise<Detection> {
    const { kernel, hooks } = await this.plugins()
    return detect({ tree: this.tree, kernel, hooks, signal: this.terminal.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work?.catch(() => undefined)
    await this.#held.disposeAsync()
  }

  async #start(): Promise<PluginWork> {
    const { config, services, log, safeMode, terminal } = this.#options
    const stateDirectory = await makeStateDirectory(this.#options.stateDirectory)
    const store: Store = this.#held.use(sqliteStore(join(stateDirectory, 'hook-runs.sqlite')))
    const runs = new HookRuns(store)
    this.#held.defer(() => runs.settled().catch((error: Error) => this.warn(`the runs of hooks were not kept: ${error.message}`)))
    const desk = this.#held.use(
      askedDesk({
        path: join(stateDirectory, 'approvals.sqlite'),
        approver: (request, signal) => (this.#isChanging ? duringApply(request) : this.approver(request, signal)),
        by: terminal.env['USER'] ?? 'somebody',
      }),
    )
    let hookOf: HookOf = () => undefined
    const core = services((plugin) => hookOf(plugin))
    const { kernel, trust } = this.#held.use(
      await exliarKernel({ config, services: core, stateDirectory, log, env: terminal.env, safeMode, approvals: { desk } }),
    )
    const ids = kernel.plugins.list().map(({ id }) => id)
    for (const sentence of unmetNames(config, ids)) this.warn(sentence)
    const record = (run: HookRun): void => {
      runs.record(run)
      this.onHookRun?.(run)
    }
    const hooks = new Hooks({ kernel, record })
    hookOf = (plugin) => hooks.running.find((point) => kernel.contributions(point).some((one) => one.plugin === plugin))?.id
    return { kernel, trust, runs, hooks }
  }
}

async function duringApply({ plugin }: ApprovalRequest): Promise<ApprovalAnswer> {
  const { message, hint = '' } = exliarErrors.error('CHANGE_DURING_APPLY', { plugin })
  return { approved: false, by: 'exliar', reason: `${message}. ${hint}` }
}
