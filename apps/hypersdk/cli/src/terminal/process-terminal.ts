import { text } from 'node:stream/consumers'
import type { Terminal } from './terminal.ts'

/** The terminal of this process. Source for colours: no-color.org. */
export function processTerminal(): Terminal {
  const { stdout, stderr, stdin, env } = process
  return {
    out: (data) => void stdout.write(data),
    err: (talk) => void stderr.write(talk),
    live: stderr.isTTY && env['TERM'] !== 'dumb',
    columns: () => stderr.columns ?? 80,
    colors: !env['NO_COLOR'] && (env['FORCE_COLOR'] !== undefined || (stdout.isTTY && stderr.isTTY)),
    env,
    uid: process.getuid?.(),
    readStdin: () => text(stdin),
  }
}
