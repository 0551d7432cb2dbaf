import { definePlugin, PlatformError, type HookPoint, type PluginModule, type Scope } from '@backplane/sdk'
import * as points from '@exliar-vfio/points'
import { camelCase } from './also-in-camel-case.ts'
import { handlerName, hookMethods } from './hook-names.ts'
import { MachineConfig } from './machine-config.ts'
import { PanelWriter } from './panel-writer.ts'
import { PluginContext } from './plugin-context.ts'

type Method = (...args: readonly unknown[]) => unknown

/**
 * Makes a plugin of a module in the style of the seed: it exports `createPlugin` (or `create_plugin`), which answers an
 * object with those methods of the plugin interface it needs, in either spelling. It runs where the plugin runs and imports
 * only what plugins may. Source: seed 004, "Plugin Interface".
 */
export function adapt(namespace: unknown): PluginModule {
  return definePlugin(async (scope) => {
    const plugin = await created(namespace)
    const context = new PluginContext(scope)
    const method = (name: string): Method | undefined => methodOf(plugin, name)
    await method('on_load')?.(context)
    for (const [name, id] of Object.entries(hookMethods)) fillHook(scope, context, { name, id, method: method(name) })
    listen(scope, context)
    await registerCommands(scope, context, method('register_commands'))
    await registerPanels(scope, context, method('register_ui_elements'))
    scope.defer(async () => {
      await method('on_unload')?.(context)
    })
  })
}

async function created(namespace: unknown): Promise<object> {
  const exported = Object(namespace) as object
  const fallback: unknown = Reflect.get(exported, 'default')
  const make = methodOf(exported, 'create_plugin') ?? methodOf(Object(fallback) as object, 'create_plugin')
  const plugin: unknown = make === undefined ? fallback : await make()
  if (typeof plugin === 'object' && plugin !== null) return plugin
  throw new TypeError('the module exports no createPlugin that answers a plugin')
}

/** `on_gpu_detected` or `onGpuDetected`; a method of a class too. */
function methodOf(object: object, name: string): Method | undefined {
  for (const spelling of [name, camelCase(name)]) {
    const value: unknown = Reflect.get(object, spelling)
    if (typeof value === 'function') return (...args) => Reflect.apply(value, object, args) as unknown
  }
  return undefined
}

const hooks = new Map(
  Object.values(points).flatMap((point): [string, HookPoint][] =>
    typeof point === 'object' && 'kind' in point && point.kind === 'hook' ? [[point.id, point]] : [],
  ),
)

interface Hook {
  readonly name: string
  readonly id: string
  readonly method: Method | undefined
}

/** What is declared and has no method does nothing; a method that is not declared would never be called, so it is told. */
function fillHook(scope: Scope, context: PluginContext, { name, id, method }: Hook): void {
  const point = hooks.get(id)
  if (point === undefined) return
  const handler = async (value: unknown): Promise<unknown> => {
    if (method === undefined) return undefined
    if (id !== points.preVmStart.id) return asVeto(point, await method(context, value))
    const machine = new MachineConfig(value as points.VmConfig)
    await method(context, machine)
    return machine.toJSON()
  }
  if (register(() => scope.on(point, handlerName, handler))) return
  if (method !== undefined) throw new TypeError(`${name} is implemented and not declared: add it to hooks in plugin.toml`)
}

/** Where a step is asked for, `{ veto }` refuses it; any other answer has no meaning. */
function asVeto({ strategy }: HookPoint, answer: unknown): unknown {
  return strategy === 'veto' && typeof Reflect.get(Object(answer), 'veto') === 'string' ? answer : undefined
}

function listen(scope: Scope, context: PluginContext): void {
  register(() =>
    scope.on(points.pluginEvent, handlerName, async ({ type, payload }) => {
      await context.heard(type, payload)
    }),
  )
}

/** False for what the manifest does not declare. */
function register(fill: () => void): boolean {
  try {
    fill()
    return true
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'POINT_UNDECLARED') return false
    throw error
  }
}

function undeclared(what: 'command' | 'panel', name: string): Error {
  return new TypeError(`the ${what} ${name} is registered and not declared: add it to [${what}s] in plugin.toml`)
}

async function registerCommands(scope: Scope, context: PluginContext, registrar: Method | undefined): Promise<void> {
  const add = (name: string, _description: string, handler: Method): void => {
    const run = async ({ args }: { readonly args: readonly string[] }): Promise<{ text: string; data?: unknown }> => {
      const answer: unknown = await handler(args, context)
      if (typeof answer === 'string') return { text: answer }
      return { text: '', ...(answer === undefined ? {} : { data: answer }) }
    }
    if (!register(() => scope.provide(points.command, name, { run }))) throw undeclared('command', name)
  }
  await registrar?.(context, { register_command: add, registerCommand: add })
}

async function registerPanels(scope: Scope, context: PluginContext, registrar: Method | undefined): Promise<void> {
  const add = (name: string, _title: string, draw: Method): void => {
    const render = async (): Promise<points.PanelContent> => {
      const writer = new PanelWriter()
      await draw(writer, context)
      return { items: writer.items }
    }
    if (!register(() => scope.provide(points.panel, name, { render }))) throw undeclared('panel', name)
  }
  await registrar?.(context, { register_panel: add, registerPanel: add })
}
