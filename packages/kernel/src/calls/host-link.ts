import type { LogLevel } from '@backplane/sdk'
import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { emit } from '../points/hooks.ts'
import { OpenedByPlugin } from './opened-by-plugin.ts'
import type { Candidate } from '../plugins/plugin.ts'
import { pluginSecrets } from '../plugins/plugin-secrets.ts'
import { pluginState } from '../plugins/plugin-state.ts'
import type { CallContext, HostLink, PluginLogLine, Target } from '../ports.ts'
import { messageOf } from './thrown.ts'

/** A plugin's way back, and how the host frees what the plugin holds through it. */
export interface LinkedHost {
  readonly link: HostLink
  /** Closes the instances the plugin opened at others. */
  readonly release: () => void
}

/** Makes what one generation of a plugin may ask of its host. Every call takes the same way as the host's own. */
export function linkHost(core: Core, candidate: Candidate, generation: number, stateBytes: number): LinkedHost {
  const plugin = candidate.id
  const opened = new OpenedByPlugin(core, plugin)
  const link: HostLink = {
    call: async (target, value, context) => {
      const { lane, route, known } = opened.find(target)
      return core.dispatcher.call(lane, { route, target: known, value }, asRequest(plugin, context))
    },
    stream: (target, value, context) => ({
      [Symbol.asyncIterator]: () => {
        const { lane, route, known } = opened.find(target)
        return core.dispatcher.stream(lane, { route, target: known, value }, asRequest(plugin, context))[Symbol.asyncIterator]()
      },
    }),
    open: (target: Target, options, context) => opened.open(target, options, asRequest(plugin, context)),
    close: (target) => opened.close(target),
    emit: async (point, value, context) => {
      const table = core.points.table(point, 'hook')
      if (table.point.kind === 'hook' && table.point.emitters === 'plugins')
        return emit(core, table, value, asRequest(plugin, context))
      throw kernelErrors.error('HOOK_NOT_EMITTABLE', { plugin, point }, { plugin, point })
    },
    secret: pluginSecrets(core, plugin, core.settingsOf(candidate)),
    state: pluginState(core.store, plugin, stateBytes),
    log: (line) => core.log.write({ ...cleanLine(core, line), plugin, generation }),
    violated: (violation) => {
      const about = { plugin, generation, detail: core.redactor.text(violation.detail) }
      if (violation.kind === 'limit') {
        core.events.record({ type: 'limit.exceeded', ...about, limit: violation.limit, action: 'warn' })
      } else {
        core.events.record({ type: 'grant.denied', ...about, permission: violation.permission })
      }
    },
  }
  return { link, release: () => opened.releaseAll() }
}

function asRequest(plugin: string, context: CallContext): CallRequest {
  const { signal, deadlineAtMs, traceId, onProgress } = context
  return { caller: plugin, signal, deadlineAtMs, traceId, onProgress }
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
