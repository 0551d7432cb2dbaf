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
import { render } from 'ink'
import { createElement as h } from 'react'
import { printable } from '@backplane/terminal'
import { App } from './app.js'
import { holdTalk } from './held-talk.js'
import { firstState } from './tui-state.js'
import { TuiStore } from './tui-store.js'
import { TuiWork } from './tui-work.js'
/** Where the size is not told. */
const usualColumns = 80
const usualRows = 24
/** Runs the terminal interface until somebody leaves it; the terminal is as it was then. */
export async function runTui(session, screen = process) {
  const env_1 = { stack: [], error: void 0, hasError: false }
  try {
    const { stdin, stdout, stderr } = screen
    const left = Promise.withResolvers()
    const stack = __addDisposableResource(env_1, new DisposableStack(), false)
    const store = new TuiStore(firstState(stdout.columns || usualColumns, stdout.rows || usualRows), (task) => work.begin(task))
    stack.use(holdTalk(stderr, (text) => store.happened({ kind: 'told', message: { tone: 'warning', text: printable(text) } })))
    keepSignals(stack)
    const work = __addDisposableResource(env_1, new TuiWork(session, store.happened, left.resolve), true)
    const drawn = render(h(App, { store, colors: session.terminal.colors }), {
      stdin,
      stdout,
      exitOnCtrlC: false,
      patchConsole: false,
      alternateScreen: true,
      interactive: true,
    })
    const killed = () => store.happened({ kind: 'killed' })
    session.terminal.signal.addEventListener('abort', killed, { once: true })
    try {
      for (const kind of ['detect', 'read-changes']) work.begin({ kind })
      if (session.terminal.signal.aborted) killed()
      await Promise.race([left.promise, drawn.waitUntilExit()])
    } finally {
      session.terminal.signal.removeEventListener('abort', killed)
      drawn.unmount()
      await drawn.waitUntilExit()
    }
  } catch (e_1) {
    env_1.error = e_1
    env_1.hasError = true
  } finally {
    const result_1 = __disposeResources(env_1)
    if (result_1) await result_1
  }
}
/**
 * What draws gives the terminal back when a signal ends the process, and ends the process itself where nobody else listens.
 * Here somebody does: what runs must be taken back first.
 */
function keepSignals(stack) {
  const stay = () => undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, stay)
    stack.defer(() => process.off(name, stay))
  }
}
//# sourceMappingURL=run-tui.js.map
