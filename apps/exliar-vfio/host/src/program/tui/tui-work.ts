import { setImmediate as turn } from 'node:timers/promises'
import { panel as panelPoint } from '@exliar-vfio/points'
import { readJournal, underWay } from '../../changes/open-changes.ts'
import { recordedChanges } from '../../changes/recorded-changes.ts'
import { configure } from '../../lifecycle/configure.ts'
import { planCards } from '../../lifecycle/plan-cards.ts'
import { listedPlugins, type ListedPlugin } from '../listed-plugins.ts'
import type { Session } from '../session.ts'
import { takeBackChanges } from '../take-back-changes.ts'
import { warnOf } from '../warn-of.ts'
import { failureText } from './failure-text.ts'
import { OpenQuestions } from './open-questions.ts'
import { PanelWatch } from './panel-watch.ts'
import type { ChangesNow, Loaded, PanelTab, Result, Task, TuiEvent } from './tui-state.ts'

type TaskOf<Kind extends Task['kind']> = Extract<Task, { kind: Kind }>

/** Does what the interface asks for, with a session, and tells what came of it. Disposed, it breaks off what changes the machine. */
export class TuiWork implements AsyncDisposable {
  readonly #session: Session
  readonly #tell: (event: TuiEvent) => void
  readonly #quit: () => void
  readonly #panels: PanelWatch
  readonly #questions: OpenQuestions
  /** What changes the machine is waited for; what only looks is not. */
  #changing: Promise<void> = Promise.resolve()
  #breaking = new AbortController()

  constructor(session: Session, tell: (event: TuiEvent) => void, quit: () => void) {
    this.#session = session
    this.#tell = tell
    this.#quit = quit
    this.#panels = new PanelWatch({
      plugins: () => session.plugins(),
      drawn: (panel, content) => tell({ kind: 'drawn', panel, content }),
      failed: (text) => tell({ kind: 'told', message: { tone: 'bad', text } }),
    })
    this.#questions = new OpenQuestions({
      asked: (request) => tell({ kind: 'asked', request }),
      givenUp: (id) => tell({ kind: 'given-up', id }),
    })
    session.approver = this.#questions.approver
  }

  /** Begins a task; what comes of it is told. Never throws. */
  begin(task: Task): void {
    this.#do(task).catch((error: unknown) => this.#tell({ kind: 'told', message: { tone: 'bad', text: failureText(error) } }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#breaking.abort(new Error('the interface was closed'))
    this.#questions[Symbol.dispose]()
    await this.#changing
    await this.#panels[Symbol.asyncDispose]()
  }

  async #do(task: Task): Promise<void> {
    switch (task.kind) {
      case 'detect':
        return this.#tell({ kind: 'detected', detection: await loaded(() => this.#session.detect()) })
      case 'make-plan':
        return this.#makePlan(task)
      case 'apply':
        return (this.#changing = this.#apply(task))
      case 'break':
        return this.#breaking.abort(new Error('somebody broke it off'))
      case 'take-back':
        return (this.#changing = this.#takeBack(task))
      case 'read-changes':
        return this.#tell({ kind: 'changes-read', changes: await loaded(async () => this.#changes()) })
      case 'read-plugins':
        return this.#tell({ kind: 'plugins-read', plugins: await loaded(() => this.#records()) })
      case 'look-for-plugins':
        return this.#lookForPlugins()
      case 'read-panels':
        return this.#tell({ kind: 'panels-read', panels: await loaded(() => this.#tabs()) })
      case 'show-panel':
        return this.#panels.show(task.panel)
      case 'do-action':
        return this.#panels.act(task.panel, task.action)
      case 'decide':
        return this.#questions.decide(task.id, task.approved, task.reason)
      case 'quit':
        return this.#quit()
    }
  }

  async #makePlan({ wish }: TaskOf<'make-plan'>): Promise<void> {
    try {
      const detection = await this.#session.detect()
      const { selected, takeAlong, choices } = wish
      const { bind, allowBootScreen, leaveOut } = choices
      const selection = { select: selected, takeAlong, allowBootScreen }
      const plan = planCards(this.#session.tree, detection, selection, { bind, leaveOut })
      this.#tell({ kind: 'detected', detection: { kind: 'there', value: detection } })
      this.#tell({ kind: 'planned', wish, plan: { kind: 'made', plan, detection } })
    } catch (error) {
      this.#tell({ kind: 'planned', wish, plan: { kind: 'failed', message: failureText(error) } })
    }
  }

  async #apply({ plan, detection }: TaskOf<'apply'>): Promise<void> {
    this.#breaking = new AbortController()
    const { terminal } = this.#session
    const signal = AbortSignal.any([this.#breaking.signal, terminal.signal])
    await this.#work(async () => {
      const { hooks, kernel } = await this.#session.plugins()
      this.#session.onHookRun = (run) => warnOf(this.#session, run)
      await using changes = await this.#session.openChanges()
      const applied = await configure(plan, detection, {
        changes,
        hooks,
        kernel,
        signal,
        onStep: async (when, { summary }) => {
          this.#tell({ kind: 'step', when, summary })
          // Steps follow each other without a pause, and keys are read in between.
          await turn()
        },
      })
      return { kind: 'applied', applied, reboot: plan.reboot }
    })
  }

  async #takeBack({ reason }: TaskOf<'take-back'>): Promise<void> {
    await this.#work(async () => ({ kind: 'taken-back', reason, report: await takeBackChanges(this.#session, reason) }))
  }

  /** However it ends, it is told that it has. */
  async #work(work: () => Promise<Result>): Promise<void> {
    let result: Result
    try {
      result = await work()
    } catch (error) {
      result = { kind: 'refused', message: failureText(error) }
    } finally {
      // Of detecting it is told by the screen.
      this.#session.onHookRun = undefined
    }
    this.#tell({ kind: 'ended', result })
  }

  #changes(): ChangesNow {
    const { tree } = this.#session
    return { changes: recordedChanges(readJournal(tree)), interrupted: underWay(tree).kind === 'interrupted' }
  }

  async #records(): Promise<readonly ListedPlugin[]> {
    const { kernel } = await this.#session.plugins()
    return listedPlugins(kernel.plugins, this.#session.terminal.signal)
  }

  async #lookForPlugins(): Promise<void> {
    const { kernel, trust } = await this.#session.plugins()
    await trust.grants.load()
    await kernel.plugins.refresh(this.#session.terminal.signal)
    await this.#do({ kind: 'read-plugins' })
    await this.#do({ kind: 'read-panels' })
  }

  async #tabs(): Promise<readonly PanelTab[]> {
    const { kernel } = await this.#session.plugins()
    const usable = kernel.contributions(panelPoint).filter(({ available, recovers }) => available || recovers === true)
    return usable.map(({ plugin, name, metadata }) => {
      const title = metadata['title']
      return { plugin, name, title: typeof title === 'string' ? title : name }
    })
  }
}

async function loaded<T>(look: () => Promise<T>): Promise<Loaded<T>> {
  try {
    return { kind: 'there', value: await look() }
  } catch (error) {
    return { kind: 'failed', message: failureText(error) }
  }
}
