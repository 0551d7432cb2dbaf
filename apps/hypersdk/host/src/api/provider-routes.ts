import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '@backplane/server'
import { ExportCapabilities, VmFilter, VmInfo } from '@hypersdk/points'
import type { CallOptions } from '@backplane/sdk'
import { listVms, searchVms } from '../inventory/list-vms.ts'
import { SharedCalls } from '../inventory/shared-calls.ts'
import { findMachine } from '../providers/find-machine.ts'
import type { ProviderUse } from '../providers/provider-instance.ts'
import type { ProviderRegistry, ProviderType } from '../providers/provider-registry.ts'
import { checkInput, queryObject } from './query-parameters.ts'
import { json, now, problem, ProviderView, VmList } from './views.ts'

const Instance = z.string().describe('A configured instance, or a provider type that has one instance.')
const Filter = z.strictObject(VmFilter.shape)

const listProviders = createRoute({
  method: 'get',
  path: '/api/providers',
  summary: 'What virtual machines can be exported from; starts nothing',
  responses: {
    200: json(z.object({ providers: z.array(ProviderView), count: z.int(), timestamp: z.string() }), 'Sorted by type.'),
    default: problem,
  },
})

const getCapabilities = createRoute({
  method: 'get',
  path: '/api/providers/{type}/capabilities',
  summary: 'What a provider can export; needs no credentials and starts nothing',
  request: { params: z.object({ type: z.string() }) },
  responses: { 200: json(ExportCapabilities.extend({ type: z.string() }), 'The capabilities.'), default: problem },
})

const listMachines = createRoute({
  method: 'get',
  path: '/api/providers/{instance}/vms',
  summary: 'List machines; every given filter must match, tags as tag.<key>=<value>',
  request: {
    params: z.object({ instance: Instance }),
    query: z.object(VmFilter.omit({ tags: true }).extend({ min_memory_mb: z.string(), min_cpus: z.string() }).partial().shape),
  },
  responses: { 200: json(VmList, 'Sorted by name.'), default: problem },
})

const searchMachines = createRoute({
  method: 'get',
  path: '/api/providers/{instance}/vms/search',
  summary: 'Find machines by free text',
  request: { params: z.object({ instance: Instance }), query: z.object({ q: z.string().max(200) }) },
  responses: { 200: json(VmList, 'Best first.'), default: problem },
})

const getMachine = createRoute({
  method: 'get',
  path: '/api/providers/{instance}/vms/{vm_id}',
  summary: "One machine by the provider's own id, slashes in it written as %2F",
  request: { params: z.object({ instance: Instance, vm_id: z.string() }) },
  responses: { 200: json(VmInfo, 'The machine.'), default: problem },
})

/** Routes for what there is to export. */
export function addProviderRoutes(app: OpenAPIHono<{ Bindings: Peer }>, providers: ProviderRegistry): void {
  app.openapi(listProviders, (context) => {
    const all = providers.types().map((one) => view(one, providers))
    return context.json({ providers: all, count: all.length, timestamp: now() }, 200)
  })
  app.openapi(getCapabilities, (context) => {
    const { type, capabilities } = providers.type(context.req.valid('param').type)
    return context.json({ type, ...capabilities }, 200)
  })
  const ask = async <T>(name: string, signal: AbortSignal, work: (asked: Asked) => Promise<T>): Promise<T> => {
    await using use = await providers.use(name, signal)
    return await work({ use, call: { signal, deadlineMs: providers.callTimeoutMs(use.type) } })
  }
  // A list can take a plugin seconds and all it has; a crowd that asks at once must not make it take minutes.
  const shared = new SharedCalls()
  const askOnce = <T>(asked: Question, signal: AbortSignal, work: (asked: Asked) => Promise<T>): Promise<T> => {
    const { instance } = providers.resolve(asked.name)
    return shared.run(JSON.stringify([instance, asked.what]), signal, (all) => ask(instance, all, work))
  }
  app.openapi(listMachines, async ({ req, json: answer }) => {
    const filter = checkInput(Filter, queryObject(new URL(req.url).searchParams, ['min_memory_mb', 'min_cpus']))
    const list = await askOnce({ name: req.param('instance'), what: filter }, req.raw.signal, async ({ use, call }) =>
      vmList(use, await listVms(use.client, filter, { ...call, providerType: use.type })),
    )
    return answer(list, 200)
  })
  app.openapi(searchMachines, async ({ req, json: answer }) => {
    const { q } = req.valid('query')
    const list = await askOnce({ name: req.param('instance'), what: q }, req.raw.signal, async ({ use, call }) =>
      vmList(use, await searchVms(use.client, q, { ...call, providerType: use.type })),
    )
    return answer(list, 200)
  })
  app.openapi(getMachine, async ({ req, json: answer }) => {
    const { instance, vm_id } = req.valid('param')
    return answer(await ask(instance, req.raw.signal, ({ use, call }) => findMachine(use, vm_id, call)), 200)
  })
}

interface Question {
  readonly name: string
  /** A filter, or a text to search for. */
  readonly what: unknown
}

interface Asked {
  readonly use: ProviderUse
  readonly call: CallOptions
}

function vmList(use: ProviderUse, vms: VmInfo[]): z.output<typeof VmList> {
  return { vms, count: vms.length, instance: use.instance, provider: use.type, timestamp: now() }
}

function view(one: ProviderType, providers: ProviderRegistry): z.output<typeof ProviderView> {
  return {
    type: one.type,
    name: one.displayName,
    plugin: one.plugin,
    version: one.version,
    also_claimed_by: [...one.alsoClaimedBy],
    available: one.available,
    reason: one.reason ?? null,
    instances: one.instances.map((name) => ({ name, configured: providers.isConfigured(name) })),
    capabilities: one.capabilities,
  }
}
