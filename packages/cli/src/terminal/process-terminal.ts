import { createInterface } from 'node:readline/promises'
import { readSecret, wantsColors } from '@backplane/terminal'
import type { Terminal } from './terminal.ts'

async function askOn(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } catch {
    // Ctrl-C and the end of the input are no answer, and no answer is no.
    return ''
  } finally {
    lines.close()
  }
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  return {
    out: (data) => void stdout.write(data),
    err: (talk) => void stderr.write(talk),
    live: stdout.isTTY && env['TERM'] !== 'dumb',
    colors: wantsColors(),
    env,
    ask: process.stdin.isTTY && stderr.isTTY ? askOn : undefined,
    readSecret,
    untilBreak: () => {
      const broken = new AbortController()
      process.once('SIGINT', () => broken.abort())
      return broken.signal
    },
  }
}
