import { stripVTControlCharacters } from 'node:util'
import { render } from 'ink'
import { createElement as h } from 'react'
import { printable } from '@backplane/terminal'
import type { Session } from '../session.ts'
import type { TerminalScreen } from '../terminal.ts'
import { App } from './app.ts'
import { holdTalk } from './held-talk.ts'
import { firstState } from './tui-state.ts'
import { TuiStore } from './tui-store.ts'
import { TuiWork } from './tui-work.ts'

/** Where the size is not told. */
const usualColumns = 80
const usualRows = 24

/** Runs the terminal interface until somebody leaves it; the terminal is as it was then. */
export async function runTui(session: Session, { stdin, stdout, stderr }: TerminalScreen): Promise<void> {
  const left = Promise.withResolvers<void>()
  using stack = new DisposableStack()
  const store: TuiStore = new TuiStore(firstState(stdout.columns || usualColumns, stdout.rows || usualRows), {
    begin: (task) => work.begin(task),
    failed: left.reject,
  })
  // It is coloured for a terminal; here lines have colours of their own.
  const tell = (talk: string): void => {
    const text = printable(stripVTControlCharacters(talk))
    store.happened({ kind: 'told', message: { tone: 'warning', text } })
  }
  stack.use(holdTalk(stderr, tell))
  keepSignals(stack)
  await using work = new TuiWork(session, store.happened, left.resolve)
  const drawn = render(h(App, { store, colors: session.terminal.colors }), {
    stdin,
    stdout,
    exitOnCtrlC: false,
    patchConsole: false,
    alternateScreen: true,
    interactive: true,
  })
  const killed = (): void => store.happened({ kind: 'killed' })
  session.terminal.signal.addEventListener('abort', killed, { once: true })
  try {
    for (const kind of ['detect', 'read-changes'] as const) work.begin({ kind })
    if (session.terminal.signal.aborted) killed()
    await Promise.race([left.promise, drawn.waitUntilExit()])
  } finally {
    session.terminal.signal.removeEventListener('abort', killed)
    drawn.unmount()
    await drawn.waitUntilExit()
  }
}

/**
 * What draws gives the terminal back when a signal ends the process, and ends the process itself where nobody else listens.
 * Here somebody does: what runs must be taken back first.
 */
function keepSignals(stack: DisposableStack): void {
  const stay = (): void => undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, stay)
    stack.defer(() => process.off(name, stay))
  }
}
