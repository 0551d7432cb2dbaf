var __addDisposableResource =
  (this && this.__addDisposableResource) ||
  function (env, value, async) {
    if (value !== null && value !== void 0) {
      if (typeof value !== 'object' && typeof value !== 'function') throw new TypeError('Object expected.')
      var dispose, inner
      if (async) {
        if (!Symbol.asyncDispose) throw new TypeError('Symbol.asyncDispose is not defined.')
        dispose = value[Symbol.asyncDispose]
      }
      if (dispose === void 0) {
        if (!Symbol.dispose) throw new TypeError('Symbol.dispose is not defined.')
        dispose = value[Symbol.dispose]
        if (async) inner = dispose
      }
      if (typeof dispose !== 'function') throw new TypeError('Object not disposable.')
      if (inner)
        dispose = function () {
          try {
            inner.call(this)
          } catch (e) {
            return Promise.reject(e)
          }
        }
      env.stack.push({ value: value, dispose: dispose, async: async })
    } else if (async) {
      env.stack.push({ async: true })
    }
    return value
  }
var __disposeResources =
  (this && this.__disposeResources) ||
  (function (SuppressedError) {
    return function (env) {
      function fail(e) {
        env.error = env.hasError ? new SuppressedError(e, env.error, 'An error was suppressed during disposal.') : e
        env.hasError = true
      }
      var r,
        s = 0
      function next() {
        while ((r = env.stack.pop())) {
          try {
            if (!r.async && s === 1) return ((s = 0), env.stack.push(r), Promise.resolve().then(next))
            if (r.dispose) {
              var result = r.dispose.call(r.value)
              if (r.async)
                return (
                  (s |= 2),
                  Promise.resolve(result).then(next, function (e) {
                    fail(e)
                    return next()
                  })
                )
            } else s |= 1
          } catch (e) {
            fail(e)
          }
        }
        if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve()
        if (env.hasError) throw env.error
      }
      return next()
    }
  })(
    typeof SuppressedError === 'function'
      ? SuppressedError
      : function (error, suppressed, message) {
          var e = new Error(message)
          return ((e.name = 'SuppressedError'), (e.error = error), (e.suppressed = suppressed), e)
        },
  )
import { setImmediate as turn } from 'node:timers/promises'
import { cleanup as cleanupHook, panel as panelPoint } from '@exliar-vfio/points'
import { readJournal } from '../../changes/open-changes.js'
import { recordedChanges, unfinishedRun } from '../../changes/recorded-changes.js'
import { cleanup, rollback } from '../../changes/undo.js'
import { configure } from '../../lifecycle/configure.js'
import { planCards } from '../../lifecycle/plan-cards.js'
import { openMachineChanges } from '../change-work.js'
import { failureText } from './failure-text.js'
import { OpenQuestions } from './open-questions.js'
import { PanelWatch } from './panel-watch.js'
/** Does what the interface asks for, with a session, and tells what came of it. Disposed, it waits for what runs. */
export class TuiWork {
  #session
  #tell
  #quit
  #panels
  #questions
  #running = new Set()
  #breaking = new AbortController()
  constructor(session, tell, quit) {
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
  begin(task) {
    const run = this.#do(task).catch((error) => this.#tell({ kind: 'told', message: { tone: 'bad', text: failureText(error) } }))
    this.#running.add(run)
    void run.then(() => this.#running.delete(run))
  }
  async [Symbol.asyncDispose]() {
    this.#breaking.abort(new Error('the interface was closed'))
    this.#questions[Symbol.dispose]()
    await Promise.all(this.#running)
    await this.#panels[Symbol.asyncDispose]()
  }
  async #do(task) {
    switch (task.kind) {
      case 'detect':
        return this.#tell({ kind: 'detected', detection: await loaded(() => this.#session.detect()) })
      case 'make-plan':
        return this.#makePlan(task)
      case 'apply':
        return this.#apply(task)
      case 'break':
        return this.#breaking.abort(new Error('somebody broke it off'))
      case 'take-back':
        return this.#takeBack(task)
      case 'read-changes':
        return this.#tell({ kind: 'changes-read', changes: await loaded(async () => this.#changes()) })
      case 'read-plugins':
        return this.#tell({
          kind: 'plugins-read',
          plugins: await loaded(async () => (await this.#session.plugins()).kernel.plugins.list()),
        })
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
  async #makePlan({ selected, choices }) {
    try {
      const detection = await this.#session.detect()
      const { bind, allowBootScreen } = choices
      const plan = planCards(this.#session.tree, detection, { select: selected, allowBootScreen }, { bind })
      this.#tell({ kind: 'detected', detection: { kind: 'there', value: detection } })
      this.#tell({ kind: 'planned', plan: { kind: 'made', plan, detection } })
    } catch (error) {
      this.#tell({ kind: 'planned', plan: { kind: 'failed', message: failureText(error) } })
    }
  }
  async #apply({ plan, detection }) {
    this.#breaking = new AbortController()
    const { terminal, tree } = this.#session
    const signal = AbortSignal.any([this.#breaking.signal, terminal.signal])
    await this.#work(async () => {
      const env_1 = { stack: [], error: void 0, hasError: false }
      try {
        const { hooks, kernel } = await this.#session.plugins()
        const changes = __addDisposableResource(env_1, await openMachineChanges(tree), true)
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
      } catch (e_1) {
        env_1.error = e_1
        env_1.hasError = true
      } finally {
        const result_1 = __disposeResources(env_1)
        if (result_1) await result_1
      }
    })
  }
  async #takeBack({ reason }) {
    const { terminal, tree } = this.#session
    await this.#work(async () => {
      const env_2 = { stack: [], error: void 0, hasError: false }
      try {
        const { hooks } = await this.#session.plugins()
        await hooks.run(cleanupHook, { reason }, null, terminal.signal)
        const changes = __addDisposableResource(env_2, await openMachineChanges(tree), true)
        const report = (await (reason === 'cleanup' ? cleanup(changes) : rollback(changes))) ?? { changes: [], complete: true }
        return { kind: 'taken-back', reason, report }
      } catch (e_2) {
        env_2.error = e_2
        env_2.hasError = true
      } finally {
        const result_2 = __disposeResources(env_2)
        if (result_2) await result_2
      }
    })
  }
  /** However it ends, it is told that it has. */
  async #work(work) {
    let result
    try {
      result = await work()
    } catch (error) {
      result = { kind: 'refused', message: failureText(error) }
    }
    this.#tell({ kind: 'ended', result })
  }
  #changes() {
    const journal = readJournal(this.#session.tree)
    return { changes: recordedChanges(journal), interrupted: unfinishedRun(journal.records) !== undefined }
  }
  async #tabs() {
    const { kernel } = await this.#session.plugins()
    return kernel.contributions(panelPoint).map(({ plugin, name, metadata }) => {
      const title = metadata['title']
      return { plugin, name, title: typeof title === 'string' ? title : name }
    })
  }
}
async function loaded(look) {
  try {
    return { kind: 'there', value: await look() }
  } catch (error) {
    return { kind: 'failed', message: failureText(error) }
  }
}
//# sourceMappingURL=tui-work.js.map
