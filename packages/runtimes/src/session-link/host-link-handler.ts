import type { HostLink, PluginLogLine, Use } from '@backplane/kernel'
import { RateGate, type Handler } from '@backplane/rpc'
import type { LogLevel } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'
import type { PluginOutput } from '../output/plugin-output.ts'
import { deniedAtOnce, deniedByNode, deniedPerSecond, usesAtOnce, usesPerSecond } from './denied-words.ts'
import { IncomingContext, invokerHandler } from './invoker-handler.ts'

/** A plugin in audit mode, of which Node's permission model tells and denies nothing. */
export interface AuditedGrants {
  /** Which of what the plugin tells is a use of what it was granted. */
  readonly useOf: (told: unknown) => Use | undefined
  /** Whether it may start a program: then its sandbox lets it start whatever it holds. */
  readonly hasPrograms: boolean
}

/** What is not granted to a plugin in audit mode is kept from it by its sandbox. */
const keptAway = "kept from it by its sandbox, by the plugin's own word"
/** But for programs, where one is granted: the filter that keeps a plugin from starting any is off. */
const perhapsStarted =
  "not granted; its sandbox holds Node and what the granted programs need, and keeps it from starting anything else; by the plugin's own word"

/** Longest message of one log line that is kept, UTF-16 units; the rest is cut. */
const longestMessage = 16_384

/**
 * Answers a plugin behind a session with what its host offers. Whatever the plugin says of itself is checked or replaced:
 * it calls in its own name only.
 */
export function hostLinkHandler(
  host: HostLink,
  plugin: string,
  output: Pick<PluginOutput, 'log' | 'dropped'>,
  audited?: AuditedGrants,
): Handler {
  const targets = invokerHandler(host, plugin)
  const denials = new RateGate(deniedPerSecond, deniedAtOnce)
  const uses = audited === undefined ? undefined : new RateGate(usesPerSecond, usesAtOnce)
  const told = (value: unknown): void => {
    // Looked at only as often as that: it may be made up.
    if (uses?.take(1) === false) return host.untold?.()
    // a thread tells nobody of what it uses
    if (audited !== undefined && Reflect.get(Object(value), 'permission') === 'WorkerThreads') host.untold?.()
    const use = audited?.useOf(value)
    if (use !== undefined) return host.used(use)
    const violation = deniedByNode(value, audited === undefined ? undefined : detailOf(value, audited))
    if (violation !== undefined && denials.take(1)) host.violated(violation)
  }
  const text = (value: unknown, what: string): string => {
    if (typeof value === 'string') return value
    throw runtimeErrors.error('RUNTIME_REQUEST_INVALID', { plugin, what }, { plugin })
  }
  return {
    stream: targets.stream,
    call: (target, value, call) => {
      switch (target) {
        case 'secret':
          return host.secret(text(value, 'a secret'))
        case 'state.get':
          return host.state.get(text(value, 'a state key'))
        case 'state.set': {
          const entry = Object(value) as Record<string, unknown>
          return host.state.set(text(entry['key'], 'a state key'), entry['value'])
        }
        case 'state.delete':
          return host.state.delete(text(value, 'a state key'))
        case 'state.keys':
          return host.state.keys(text(value, 'a state key'))
        default:
          if (!target.startsWith('emit ')) return targets.call(target, value, call)
          return host.emit(target.slice('emit '.length), value, new IncomingContext(call, plugin))
      }
    },
    notice: (target, value) => {
      // Others are ignored: nobody waits for an answer, and an error for each would be work for nothing.
      if (target === 'log') output.log(logLine(value))
      else if (target === 'dropped' && Number.isSafeInteger(value)) output.dropped(Math.max(0, Number(value)))
      else if (target === 'denied') told(value)
      else if (target === 'untold' && audited !== undefined) host.untold?.()
    },
    dropped: () => output.dropped(1),
  }
}

function logLine(value: unknown): PluginLogLine {
  const { level, message, fields, traceId } = Object(value) as Record<string, unknown>
  const known: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
  return {
    level: known.find((name) => name === level) ?? 'info',
    message: String(message).slice(0, longestMessage),
    ...(typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? { fields: { ...fields } } : {}),
    ...(typeof traceId === 'string' ? { traceId: traceId.slice(0, 64) } : {}),
  }
}

function detailOf(told: unknown, { hasPrograms }: AuditedGrants): string {
  return hasPrograms && Reflect.get(Object(told), 'permission') === 'ChildProcess' ? perhapsStarted : keptAway
}
