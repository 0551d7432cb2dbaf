import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Kernel } from '@backplane/kernel'
import type { Peer } from '@backplane/server'
import type { JobLedger } from '../jobs/job-ledger.ts'
import type { ProviderRegistry, ProviderType } from '../providers/provider-registry.ts'
import { json, now } from './views.ts'

const health = createRoute({
  method: 'get',
  path: '/health',
  summary: 'Whether the daemon answers',
  responses: { 200: json(z.object({ status: z.string(), timestamp: z.string() }), 'It does.') },
})

const Status = z
  .object({
    version: z.string(),
    api: z.string(),
    node: z.string(),
    uptime: z.number().describe('Seconds.'),
    total_jobs: z.int(),
    pending_jobs: z.int(),
    running_jobs: z.int(),
    completed_jobs: z.int(),
    failed_jobs: z.int(),
    cancelled_jobs: z.int(),
    timestamp: z.string(),
  })
  .openapi('Status')

const status = createRoute({
  method: 'get',
  path: '/status',
  summary: 'Version, uptime and jobs by status',
  responses: { 200: json(Status, 'The numbers.') },
})

const Capabilities = z
  .object({
    capabilities: z.record(
      z.string(),
      z.object({
        method: z.string(),
        available: z.boolean(),
        version: z.string(),
        path: z.string().nullable(),
        priority: z.int(),
        last_checked: z.string(),
      }),
    ),
    default_method: z.string().nullable(),
    timestamp: z.string(),
  })
  .openapi('Capabilities')

const capabilities = createRoute({
  method: 'get',
  path: '/capabilities',
  summary: 'Which ways to export there are now: the providers, configured ones first',
  responses: { 200: json(Capabilities, 'By provider type.') },
})

/** What the status routes tell of. */
export interface StatusApi {
  readonly kernel: Kernel
  readonly providers: ProviderRegistry
  readonly ledger: JobLedger
  readonly version: string
}

/** Routes that tell of the daemon as a whole. */
export function addStatusRoutes(app: OpenAPIHono<{ Bindings: Peer }>, api: StatusApi): void {
  app.openapi(health, (context) => context.json({ status: 'healthy', timestamp: now() }, 200))
  app.openapi(status, (context) => {
    const { ledger } = api
    return context.json(
      {
        version: api.version,
        api: api.kernel.host.api,
        node: process.versions.node,
        uptime: Math.round(process.uptime()),
        total_jobs: ledger.count(),
        pending_jobs: ledger.count('pending'),
        running_jobs: ledger.count('running'),
        completed_jobs: ledger.count('completed'),
        failed_jobs: ledger.count('failed'),
        cancelled_jobs: ledger.count('cancelled'),
        timestamp: now(),
      },
      200,
    )
  })
  app.openapi(capabilities, (context) => {
    const isConfigured = (type: ProviderType): boolean => type.instances.some((name) => api.providers.isConfigured(name))
    const types = api.providers.types()
    const inOrder = [...types.filter(isConfigured), ...types.filter((type) => !isConfigured(type))]
    const all = inOrder.map((one, index) => ({
      method: one.type,
      // A provider that exports no format is no way to export, however well it runs.
      available: one.available && one.capabilities.supported_formats.length > 0,
      version: one.version,
      path: api.kernel.plugins.get(one.plugin)?.path ?? null,
      priority: index + 1,
      last_checked: now(),
    }))
    return context.json(
      {
        capabilities: Object.fromEntries(all.map((one) => [one.method, one])),
        default_method: all.find((one) => one.available)?.method ?? null,
        timestamp: now(),
      },
      200,
    )
  })
}
