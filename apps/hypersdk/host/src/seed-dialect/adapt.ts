import { definePlugin, type Logger, type OpenedImplementation, type PluginModule } from '@backplane/sdk'
import { provider as providerPoint } from '@hypersdk/points'
import { seedErrors } from './errors.ts'
import { fieldsOf, inBothSpellings, methodOf } from './field-names.ts'
import { seedContext, seedLogger } from './seed-context.ts'
import { seedExport } from './seed-export.ts'
import { readMachine, readMachines } from './seed-machine.ts'

/** What of a provider's configuration is looked at here; all of it is handed on. */
interface InstanceConfig {
  readonly timeout_ms?: number | undefined
  readonly insecure?: boolean | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

const required = ['ListVMs', 'GetVM', 'ExportVM']

/**
 * Makes a plugin of a module in the style of the seed's guide. It runs where the plugin runs and imports only what
 * plugins may. `NewProvider` may be a function of (config, logger), a class, or a value: an object with a factory in it,
 * or the provider itself. Source: seed 001 "Provider Interface"; `var NewProvider ProviderFactory` in seed 000.
 */
export function adapt(namespace: unknown): PluginModule {
  const exported = commonExports(namespace)
  const info = fieldsOf(Reflect.get(exported, 'PluginInfo'))
  const name = String(info('name'))
  const type = String(info('provider_type'))
  return definePlugin((scope) => {
    scope.provide(providerPoint, type, {
      open: async (config, call) => {
        const settings = seedConfig(config, type)
        const provider = await makeProvider(Reflect.get(exported, 'NewProvider'), settings, scope.log, name)
        await methodOf(provider, 'Connect')?.(seedContext(call), settings)
        return opened(provider, name)
      },
    })
  })
}

/** An ES module has its exports as names; one in CommonJS has them on its default export. */
function commonExports(namespace: unknown): object {
  const module = Object(namespace) as object
  if (Reflect.has(module, 'NewProvider')) return module
  return Object(Reflect.get(module, 'default')) as object
}

function seedConfig(config: InstanceConfig, type: string): Record<string, unknown> {
  return inBothSpellings({
    ...config,
    type,
    timeout: config.timeout_ms,
    insecure: config.insecure === true,
    metadata: config.metadata ?? {},
  })
}

async function makeProvider(factory: unknown, config: object, log: Logger, name: string): Promise<unknown> {
  const invalid = (problem: string): Error => seedErrors.error('SEED_FACTORY_INVALID', { name, problem })
  const make = factoryOf(factory)
  if (make === undefined) throw invalid(`is ${factory === null ? 'null' : typeof factory}`)
  const provider: unknown = await make(config, seedLogger(log))
  if (typeof provider !== 'object' || provider === null) throw invalid('answered no provider')
  for (const method of required) {
    if (methodOf(provider, method) === undefined) throw seedErrors.error('SEED_METHOD_MISSING', { name, method })
  }
  return provider
}

type Factory = (config: object, logger: object) => unknown

function factoryOf(value: unknown): Factory | undefined {
  if (typeof value === 'function') {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value))
    return isClass ? (config, logger) => Reflect.construct(value, [config, logger]) as unknown : (value as Factory)
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (methodOf(value, 'ListVMs') !== undefined) return () => value
  return methodOf(value, 'NewProvider') ?? methodOf(value, 'Create')
}

function opened(provider: unknown, name: string): OpenedImplementation<typeof providerPoint> {
  const call = (method: string, ...args: readonly unknown[]): unknown => methodOf(provider, method)?.(...args)
  return {
    validateCredentials: async (_nothing, context) => {
      await call('ValidateCredentials', seedContext(context))
      return null
    },
    listVms: async (filter, context) =>
      readMachines(await call('ListVMs', seedContext(context), inBothSpellings(filter)), name, 'ListVMs'),
    getVm: async ({ id }, context) => {
      const machine = await call('GetVM', seedContext(context), id)
      if (machine === null || machine === undefined) throw seedErrors.error('SEED_MACHINE_NOT_FOUND', { name, id })
      return readMachine(machine, name, 'GetVM')
    },
    searchVms: async ({ query }, context) => {
      // The host ranks and drops what does not match, so listing everything is a search too.
      const method = methodOf(provider, 'SearchVMs') === undefined ? 'ListVMs' : 'SearchVMs'
      return readMachines(await call(method, seedContext(context), method === 'ListVMs' ? {} : query), name, method)
    },
    exportVm: (request, context) => seedExport(provider, name, request, context),
    ...(methodOf(provider, 'CleanupExport') === undefined
      ? {}
      : {
          cleanupExport: async ({ export_id: exportId }, context) => {
            await call('CleanupExport', seedContext(context), exportId)
            return null
          },
        }),
    close: async () => {
      await call('Disconnect')
    },
  }
}
