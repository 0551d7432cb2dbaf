import { defineHook, type Call, type CallOptions, type HookPoint, type Scope, type Schema } from '@backplane/sdk'
import { z } from 'zod'

/** An event between plugins. Who sent it is the caller of the call that delivers it; nobody can write another's name. */
export const PluginEvent = z.object({ type: z.string().regex(/^[a-z][a-z\d_.-]*$/, 'is no event type'), payload: z.unknown() })
export type PluginEvent = z.output<typeof PluginEvent>

/** The bus: whatever a plugin emits reaches every plugin that listens. Source: seed 004, "Event Publishing". */
export const pluginEvent: HookPoint<PluginEvent> = defineHook('exliar.plugin-event', {
  title: 'Events between plugins',
  strategy: 'all',
  emitters: 'plugins',
  value: PluginEvent,
  timeoutMs: 10_000,
})

/** A typed event: plugins that share the constant share the type. Made with {@link defineEvent}. */
export interface EventKind<Payload> {
  readonly type: string
  /**
   * Sends it to every plugin that listens, and settles when all have been told. A payload that is not as the schema says is
   * a `TypeError`.
   */
  readonly emit: (scope: Scope, payload: Payload, options?: CallOptions) => Promise<void>
  /**
   * Listens under `name`, which the manifest declares for `exliar.plugin-event`. An event of this type whose payload is not as
   * the schema says is dropped and logged.
   */
  readonly subscribe: (scope: Scope, name: string, handler: (payload: Payload, call: Call) => void | Promise<void>) => void
}

/** Declares an event of a plugin's own. */
export function defineEvent<Payload>(type: string, schema: Schema<Payload, Payload>): EventKind<Payload> {
  return {
    type,
    emit: async (scope, payload, options) => {
      const checked = await schema['~standard'].validate(payload)
      if (checked.issues !== undefined) throw new TypeError(`${type}: ${checked.issues[0]?.message ?? 'is not valid'}`)
      await scope.emit(pluginEvent, { type, payload: checked.value }, options)
    },
    subscribe: (scope, name, handler) => {
      scope.on(pluginEvent, name, async (event, call) => {
        if (event.type !== type) return
        const checked = await schema['~standard'].validate(event.payload)
        if (checked.issues === undefined) await handler(checked.value, call)
        else scope.log.warn('an event was dropped', { type, from: call.caller, problem: checked.issues[0]?.message ?? '' })
      })
    },
  }
}

/** A plugin changed how a card is used. Source: seed 004, "Event Publishing". */
export const gpuOptimization: EventKind<{ gpu_id: string; optimizations: string[] }> = defineEvent(
  'gpu_optimization',
  z.object({ gpu_id: z.string(), optimizations: z.array(z.string().max(80)).max(50) }),
)
