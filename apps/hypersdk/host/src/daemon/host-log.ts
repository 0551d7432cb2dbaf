import { styleText } from 'node:util'
import type { KernelLogLine, Log } from '@backplane/kernel'
import type { LogFields, LogLevel } from '@backplane/sdk'
import { pino } from 'pino'
import type { Redactor } from '../secrets/redactor.ts'

/** How log lines are written. */
export interface HostLogOptions {
  readonly level: LogLevel
  /** Lines for people instead of JSON. */
  readonly pretty: boolean
  readonly redactor: Redactor
  /** Default: standard error. */
  readonly write?: (line: string) => void
}

/** The daemon's log: one JSON object a line, or a line for people; secrets that were given out are blanked. */
export interface HostLog extends Log {
  readonly debug: (message: string, fields?: LogFields) => void
  readonly info: (message: string, fields?: LogFields) => void
  readonly warn: (message: string, fields?: LogFields) => void
  readonly error: (message: string, fields?: LogFields) => void
}

/** Makes the log. */
export function hostLog(options: HostLogOptions): HostLog {
  const { level, pretty, redactor } = options
  const out = lossy(options.write ?? ((line: string) => void process.stderr.write(line)))
  const logger = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => out(pretty ? prettyLine(line) : line) },
  )
  const write = (line: KernelLogLine): void => {
    const { plugin, generation, traceId } = line
    const fields = redactor.value({ plugin, generation, trace_id: traceId, ...line.fields }) as Record<string, unknown>
    logger[line.level](fields, redactor.text(line.message))
  }
  const at = (of: LogLevel) => (message: string, fields?: LogFields) => write({ level: of, message, ...(fields && { fields }) })
  return { write, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A line that cannot be written (a full volume, a file that is gone) is lost; it must not take along who wrote it. */
function lossy(write: (line: string) => void): (line: string) => void {
  return (line) => {
    try {
      write(line)
    } catch {
      // Nobody is left to tell.
    }
  }
}

const colours = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const

function prettyLine(json: string): string {
  const { level, time, msg, plugin, ...fields } = JSON.parse(json) as Record<string, unknown>
  const name = level === 'debug' || level === 'warn' || level === 'error' ? level : 'info'
  const clock = String(time).slice(11, 19)
  const who = typeof plugin === 'string' ? `${plugin}: ` : ''
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const head = `${styleText('gray', clock)} ${styleText(colours[name], name.padEnd(5))}`
  return `${head} ${who}${String(msg)}${styleText('gray', rest.join(''))}\n`
}
