import type { LogLevel } from '@backplane/sdk'
import type { CallingPlugin, CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { streamWithFallbacks, withFallbacks } from './fallback.ts'
import { emit } from '../points/hooks.ts'
import { OpenedByPlugin } from './opened-by-plugin.ts'
import type { Candidate } from '../plugins/plugin.ts'
import type { UseTally } from '../plugins/use-tally.ts'
import { pluginSecrets } from '../plugins/plugin-secrets.ts'
import type { CallContext, HostLink, PluginLogLine, Target } from '../ports.ts'
import { asPlatformError, messageOf } from './thrown.ts'

/** A plugin's way back, and how the host frees what the plugin holds through it. */
export interface LinkedHost {
  readonly link: HostLink
  /** Closes the instances the plugin opened at others; from now on it is refused whatever it asks for. */
  readonly release: () => void
  /** The newest lines it wrote. */
  readonly lastLines: () => readonly string[]
}

/** Lines kept of each generation, for when it ends unexpectedly. */
const mostLines = 20
const longestLine = 500

/** Makes what one generation of a plugin may ask of its host. Every call takes the same way as the host's own. */
export function linkHost(
  core: Core,
  candidate: Candidate,
  identity: Omit<CallingPlugin, 'ended' | 'uses'> & { readonly uses: UseTally },
  state: HostLink['state'],
): LinkedHost {
  const { id: plugin, generation } = identity
  const over = new AbortController()
  const caller: CallingPlugin = { ...identity, ended: over.signal }
  let isOver = false
  /** Code of a generation that has ended may still run, in the host's own process above all: it gets nothing more. */
  const alive = (): void => {
    if (!isOver) return
    const reason = 'nothing of it is to run any more'
    throw kernelErrors.error('GENERATION_ENDED', { plugin, generation, reason }, { plugin })
  }
  const opened = new OpenedByPlugin(core, plugin)
  const secrets = pluginSecrets(core, { plugin, generation }, core.settingsOf(candidate))
  const lines: string[] = []
  const overQuota = (error: unknown): never => {
    const { code, message } = asPlatformError(error)
    if (code === 'STATE_QUOTA_EXCEEDED') link.violated({ kind: 'limit', limit: 'state', detail: message })
    throw error
  }
  const link: HostLink = {
    call: (target, value, context) => {
      const request = asRequest(caller, context)
      return withFallbacks(core, opened.ways(target), request, async (name) => {
        alive()
        return opened.call(named(target, name), value, request)
      })
    },
    stream: (target, value, context) => {
      const request = asRequest(caller, context)
      return streamWithFallbacks(core, opened.ways(target), request, (name) => {
        alive()
        return opened.stream(named(target, name), value, request)
      })
    },
    open: (target: Target, options, context) => {
      const request = asRequest(caller, context)
      const ways = opened.ways(target)
      return withFallbacks(core, ways, request, async (name) => {
        alive()
        return opened.open(named(target, name), options, request, ways)
      })
    },
    close: (target) => opened.close(target),
    emit: async (point, value, context) => {
      alive()
      const table = core.points.table(point, 'hook')
      if (table.point.kind === 'hook' && table.point.emitters === 'plugins')
        return emit(core, table, value, asRequest(caller, context))
      throw kernelErrors.error('HOOK_NOT_EMITTABLE', { plugin, point }, { plugin, point })
    },
    secret: async (name) => {
      alive()
      return secrets(name)
    },
    state: whileAlive(alive, { ...state, set: (key, value) => state.set(key, value).catch(overQuota) }),
    log: (line) => {
      const cleaned = cleanLine(core, line)
      if (lines.push(cleaned.message.slice(0, longestLine)) > mostLines) lines.shift()
      core.log.write({ ...cleaned, plugin, generation })
    },
    used: (use) => identity.uses.note(use.by === 'plugin' ? { ...use, what: core.redactor.text(use.what) } : use),
    untold: () => identity.uses.untold(),
    violated: (violation) => core.supervisor.violations.report(plugin, generation, violation),
  }
  const release = (): void => {
    isOver = true
    over.abort(new DOMException(`generation ${generation} of ${plugin} has ended`, 'AbortError'))
    opened.releaseAll()
  }
  return { link, release, lastLines: () => lines }
}

function whileAlive(alive: () => void, state: HostLink['state']): HostLink['state'] {
  return {
    get: async (key) => (alive(), state.get(key)),
    set: async (key, value) => (alive(), state.set(key, value)),
    delete: async (key) => (alive(), state.delete(key)),
    keys: async (prefix) => (alive(), state.keys(prefix)),
  }
}

function named(target: Target, name: string): Target {
  return target.name === name ? target : { ...target, name }
}

function asRequest(caller: CallingPlugin, context: CallContext): CallRequest {
  const { signal, deadlineAtMs, traceId, onProgress } = context
  return { caller, signal, deadlineAtMs, traceId, onProgress }
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** A plugin's line is not trusted to have its form, and never carries a secret's value on. */
function cleanLine(core: Core, line: PluginLogLine): PluginLogLine {
  const { level, message, fields, traceId }: { readonly [K in keyof PluginLogLine]: unknown } = line
  return {
    level: levels.find((known) => known === level) ?? 'info',
    message: core.redactor.text(typeof message === 'string' ? message : messageOf(message)),
    ...(typeof fields === 'object' && fields !== null ? { fields: { ...(core.redactor.value(fields) as object) } } : {}),
    ...(typeof traceId === 'string' ? { traceId } : {}),
  }
}
