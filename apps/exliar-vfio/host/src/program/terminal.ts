import { createInterface } from 'node:readline/promises'
import { wantsColors } from '@backplane/terminal'

/** What can be drawn on. */
export interface TerminalScreen {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  /** What is written there while something is drawn waits until that is gone. */
  readonly stderr: Pick<NodeJS.WriteStream, 'write'>
}

/** Where the program reads and writes; tests replace it. Data goes to `out`, talk to `err`. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly colors: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number | undefined
  /**
   * Asks somebody who sits there and answers what was typed; nothing once `signal` is aborted. Undefined where nobody sits there.
   */
  readonly ask: ((question: string, signal?: AbortSignal) => Promise<string>) | undefined
  /** The whole of it, for what draws; undefined where nobody could see that. */
  readonly screen?: TerminalScreen | undefined
  /** Aborted by a break (Ctrl-C) or when the process is told to end. */
  readonly signal: AbortSignal
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process
  const broken = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => broken.abort(new Error(`ended by ${name}`)))
  }
  const sees = env['TERM'] !== 'dumb'
  return {
    out: (data) => void stdout.write(data),
    err: (talk) => void stderr.write(talk),
    colors: wantsColors(),
    env,
    uid: process.getuid?.(),
    ask: stdin.isTTY && stderr.isTTY ? inTurn(askOn, broken.signal) : undefined,
    // One without a cursor to move shows no more than lines.
    screen: stdin.isTTY && stdout.isTTY && sees ? { stdin, stdout, stderr } : undefined,
    signal: broken.signal,
  }
}

type Ask = NonNullable<Terminal['ask']>

/**
 * Two questions at once would both take the one answer. One that nobody waits for any more leaves, asked or not; what was typed
 * for it is for no other.
 */
export function inTurn(ask: (question: string, signal: AbortSignal) => Promise<string>, ending: AbortSignal): Ask {
  let before: Promise<unknown> = Promise.resolve()
  return (question, given) => {
    const signal = given === undefined ? ending : AbortSignal.any([given, ending])
    const answered = before.then(() => (signal.aborted ? '' : ask(question, signal)))
    before = answered
    return answered
  }
}

async function askOn(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question, { signal })
  } catch {
    if (signal.aborted) process.stderr.write('\n')
    // Ctrl-C and the end of the input are no answer, and no answer is no.
    return ''
  } finally {
    lines.close()
  }
}
