import type { Terminal } from './terminal.ts'

/** The terminal of this process. Source for colours: no-color.org. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  return {
    out: (data) => void stdout.write(data),
    err: (talk) => void stderr.write(talk),
    live: stdout.isTTY && env['TERM'] !== 'dumb',
    colors: !env['NO_COLOR'] && (env['FORCE_COLOR'] !== undefined || (stdout.isTTY && stderr.isTTY)),
    env,
    untilBreak: () => {
      const broken = new AbortController()
      process.once('SIGINT', () => broken.abort())
      return broken.signal
    },
  }
}
