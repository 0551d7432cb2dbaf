import { text } from 'node:stream/consumers'
import { wantsColors } from '@backplane/terminal'
import type { Terminal } from './terminal.ts'

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, stdin, env } = process
  return {
    out: (data) => void stdout.write(data),
    err: (talk) => void stderr.write(talk),
    live: stderr.isTTY && env['TERM'] !== 'dumb',
    columns: () => stderr.columns ?? 80,
    colors: wantsColors(),
    env,
    uid: process.getuid?.(),
    readStdin: () => text(stdin),
  }
}
