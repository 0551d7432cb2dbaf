import type { LogLevel } from '@backplane/sdk'
import type { CallContext, HostLink, PluginLogLine, Target } from './ports.ts'
import type { CallRequest } from './active-call.ts'
import { type OpenedOn, openInstance, pinnedLane } from './client.ts'
import type { Core } from './core.ts'
import type { Lane } from './dispatcher.ts'
import { kernelErrors } from './errors.ts'
import { emit } from './hooks.ts'
import { namedLane } from './named-lane.ts'
import type { Candidate, Plugin } from './plugin.ts'
import type { Route } from './point-table.ts'
import { secretName, secretNames } from './settings.ts'
import { messageOf } from './thrown.ts'

const longestKey = 256

/** A plugin's way back, and how the host frees what the plugin holds through it. */
export interface LinkedHost {
  readonly link: HostLink
  /** Closes the instances the plugin opened at others. */
  readonly release: () => void
}

/** Makes what one generation of a plugin may ask of its host. Every call takes the same way as the host's own. */
export function linkHost(
  core: Core,
  plugin: Plugin,
  candidate: Candidate,
  { generation, stateBytes }: { readonly generation: number; readonly stateBytes: number },
): LinkedHost {
  const settings = core.settingsOf(candidate)
  const opened = new OpenedByPlugin(core, plugin)
  const granted = secretNames(settings.config)
  const namespace = `plugin/${plugin.id}`
  const link: HostLink = {
    call: async (target, value, context) => {
      const { lane, route } = opened.find(target)
      return core.dispatcher.call(lane, { route, target: opened.translate(target), value }, asRequest(plugin, context))
    },
    stream: (target, value, context) => {
      const { lane, route } = opened.find(target)
      return core.dispatcher.stream(lane, { route, target: opened.translate(target), value }, asRequest(plugin, context))
    },
    open: (target, options, context) => opened.open(target, options, asRequest(plugin, context)),
    close: (target) => opened.close(target),
    emit: async (point, value, context) => {
      const table = core.points.table(point, 'hook')
      if (table.point.kind === 'hook' && table.point.emitters !== 'plugins') {
        throw kernelErrors.error('HOOK_NOT_EMITTABLE', { plugin: plugin.id, point }, { plugin: plugin.id, point })
      }
      return emit(core, table, value, asRequest(plugin, context))
    },
    secret: async (handleOrName) => {
      const name = secretName(handleOrName)
      if (!granted.has(name)) throw kernelErrors.error('SECRET_NOT_GRANTED', { plugin: plugin.id, name }, { plugin: plugin.id })
      const value = await core.options.secrets?.resolve(name, plugin.id)
      core.events.record({ type: 'secret.read', plugin: plugin.id, name, found: value !== undefined })
      if (value === undefined) {
        const from = settings.from ?? `settings of ${plugin.id}`
        throw kernelErrors.error('SECRET_UNRESOLVED', { from, path: '$', name }, { plugin: plugin.id })
      }
      core.redactor.add(value)
      return value
    },
    state: {
      get: async (key) => {
        const text = await core.store.get(namespace, stateKey(plugin, key))
        return text === undefined ? undefined : (JSON.parse(text) as unknown)
      },
      set: async (key, value) => core.store.set(namespace, stateKey(plugin, key), stateText(plugin, key, value), stateBytes),
      delete: async (key) => core.store.delete(namespace, stateKey(plugin, key)),
      keys: async (prefix) => core.store.keys(namespace, prefix),
    },
    log: (line) => core.log.write({ ...cleanLine(core, line), plugin: plugin.id, generation }),
  }
  return { link, release: () => opened.releaseAll() }
}

/** The instances one generation opened at other plugins; their numbers mean nothing outside it. */
class OpenedByPlugin {
  readonly #core: Core
  readonly #plugin: Plugin
  readonly #instances = new Map<number, OpenedOn>()
  #newest = 0

  constructor(core: Core, plugin: Plugin) {
    this.#core = core
    this.#plugin = plugin
  }

  async open(target: Target, options: unknown, request: CallRequest): Promise<{ instance: number; methods: readonly string[] }> {
    const table = this.#core.points.table(target.point, 'provider')
    const subject = { table, name: target.name, lane: namedLane(this.#core, table, target.name) }
    const opened = await openInstance(this.#core, subject, options, request)
    this.#newest += 1
    this.#instances.set(this.#newest, opened)
    return { instance: this.#newest, methods: opened.methods }
  }

  async close(target: Target): Promise<void> {
    const opened = this.#instances.get(target.instance ?? 0)
    this.#instances.delete(target.instance ?? 0)
    await opened?.close()
  }

  find(target: Target): { readonly lane: Lane; readonly route: Route } {
    const { point, name, method, instance } = target
    const table = this.#core.points.table(point, 'provider')
    const route = table.routes.get(method)
    if (route === undefined) {
      throw kernelErrors.error('CALL_METHOD_MISSING', { plugin: `the point`, method, point, name }, { point })
    }
    if (instance === undefined && table.open === undefined) return { lane: namedLane(this.#core, table, name), route }
    return { lane: pinnedLane(this.#opened(target).generation), route }
  }

  /** The same target with the number the other plugin knows. */
  translate(target: Target): Target {
    return target.instance === undefined ? target : { ...target, instance: this.#opened(target).instance }
  }

  releaseAll(): void {
    for (const opened of this.#instances.values()) void opened.close()
    this.#instances.clear()
  }

  #opened(target: Target): OpenedOn {
    const { point, name, instance = 0 } = target
    const opened = this.#instances.get(instance)
    if (opened !== undefined && opened.target.point === point && opened.target.name === name) return opened
    const plugin = this.#plugin.id
    throw kernelErrors.error('CALL_INSTANCE_UNKNOWN', { plugin, point, name, instance }, { plugin, point })
  }
}

function asRequest(plugin: Plugin, context: CallContext): CallRequest {
  const { signal, deadlineAtMs, traceId, onProgress } = context
  return { caller: plugin.id, signal, deadlineAtMs, traceId, onProgress }
}

function stateKey(plugin: Plugin, key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= longestKey) return key
  throw kernelErrors.error(
    'STATE_KEY_INVALID',
    { plugin: plugin.id, length: typeof key === 'string' ? key.length : 0 },
    { plugin: plugin.id },
  )
}

function stateText(plugin: Plugin, key: string, value: unknown): string {
  let problem = 'it is undefined or a function'
  try {
    const text = JSON.stringify(value) as string | undefined
    if (text !== undefined) return text
  } catch (error) {
    problem = messageOf(error)
  }
  throw kernelErrors.error('STATE_VALUE_INVALID', { plugin: plugin.id, key, problem }, { plugin: plugin.id })
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** A plugin's line is not trusted to have its form, and never carries a secret's value on. */
function cleanLine(core: Core, line: PluginLogLine): PluginLogLine {
  const { level, message, fields, traceId }: { readonly [K in keyof PluginLogLine]: unknown } = line
  return {
    level: levels.find((known) => known === level) ?? 'info',
    message: core.redactor.text(typeof message === 'string' ? message : messageOf(message)),
    ...(typeof fields === 'object' && fields !== null
      ? { fields: core.redactor.value(fields) as PluginLogLine['fields'] & {} }
      : {}),
    ...(typeof traceId === 'string' ? { traceId } : {}),
  }
}
