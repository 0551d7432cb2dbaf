import type { HostLink } from '@backplane/kernel'
import type { LogFields, Logger, LogLevel } from '@backplane/sdk'
import { pluginError } from './plugin-error.ts'

/** A logger that writes to the host; every line carries `traceId` and `fields` beside its own. Never throws. */
export function pluginLog(host: HostLink, traceId?: string, fixed: LogFields = {}): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      const all = plainFields({ ...fixed, ...fields })
      host.log({
        level,
        message,
        ...(Object.keys(all).length === 0 ? {} : { fields: all }),
        ...(traceId === undefined ? {} : { traceId }),
      })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Makes fields that are certain to be JSON, so that a log line can never be the reason something fails. */
function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)]))
}

function plain(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (value instanceof Error) return pluginError(value).toJSON()
  try {
    const text = JSON.stringify(value)
    return text === undefined ? `a ${typeof value}` : JSON.parse(text)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
