import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '@backplane/server'
import { ExportCapabilities, VmFilter, VmInfo, type provider } from '@hypersdk/points'
import type { OpenedClient } from '@backplane/sdk'
import { listVms, searchVms, type InventoryQuery } from '../inventory/list-vms.ts'
import { findMachine } from '../providers/find-machine.ts'
import type { ProviderRegistry, ProviderType } from '../providers/provider-registry.ts'
import { checkInput, queryObject } from './query-parameters.ts'
import { json, problem, ProviderView, VmList } from './views.ts'

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
  app.openapi(listMachines, async (context) => {
    const query = queryObject(new URL(context.req.url).searchParams, ['min_memory_mb', 'min_cpus'])
    const filter = checkInput(Filter, query)
    return context.json(
      await collect(providers, context.req.param('instance'), context.req.raw.signal, (client, ask) =>
        listVms(client, filter, ask),
      ),
      200,
    )
  })
  app.openapi(searchMachines, async (context) => {
    const { q } = context.req.valid('query')
    return context.json(
      await collect(providers, context.req.param('instance'), context.req.raw.signal, (client, ask) => searchVms(client, q, ask)),
      200,
    )
  })
  app.openapi(getMachine, async (context) => {
    const { instance, vm_id } = context.req.valid('param')
    const { signal } = context.req.raw
    await using use = await providers.use(instance, signal)
    const deadlineMs = providers.callTimeoutMs(use.type)
    return context.json(await findMachine(use, vm_id, { signal, deadlineMs }), 200)
  })
}

async function collect(
  providers: ProviderRegistry,
  name: string,
  signal: AbortSignal,
  work: (client: OpenedClient<typeof provider>, query: InventoryQuery) => Promise<VmInfo[]>,
): Promise<z.output<typeof VmList>> {
  await using use = await providers.use(name, signal)
  const vms = await work(use.client, { providerType: use.type, signal, deadlineMs: providers.callTimeoutMs(use.type) })
  return { vms, count: vms.length, instance: use.instance, provider: use.type, timestamp: now() }
}

function view(one: ProviderType, providers: ProviderRegistry): z.output<typeof ProviderView> {
  return {
    type: one.type,
    name: one.displayName,
    plugin: one.plugin,
    version: one.version,
    available: one.available,
    reason: one.reason ?? null,
    instances: one.instances.map((name) => ({ name, configured: providers.isConfigured(name) })),
    capabilities: one.capabilities,
  }
}

function now(): string {
  return new Date().toISOString()
}
