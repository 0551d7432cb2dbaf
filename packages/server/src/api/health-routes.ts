import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'
import { EventTally } from './event-tally.ts'
import { metricsText } from './metrics.ts'
import { pluginStatus } from './plugin-status.ts'
import * as routes from './routes.ts'

/** What the host adds to health and metrics. */
export interface HealthOptions {
  readonly notReady?: () => readonly string[]
  readonly metrics?: () => string
}

/** Adds the probes and the metrics. */
export function addHealthRoutes(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel, options: HealthOptions): void {
  const tally = EventTally.of(kernel.events)
  app.openapi(routes.healthz, (context) => context.json({ status: 'ok', reasons: [] }, 200))
  app.openapi(routes.readyz, (context) => {
    const closing = context.env.closing.aborted ? ['the server is closing'] : []
    const reasons = [...closing, ...missingPlugins(kernel), ...(options.notReady?.() ?? [])]
    if (reasons.length > 0) return context.json({ status: 'not-ready', reasons }, 503)
    return context.json({ status: 'ready', reasons }, 200)
  })
  app.openapi(routes.metrics, (context) =>
    context.text(metricsText(kernel, tally) + (options.metrics?.() ?? ''), 200, {
      'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  )
}

/** Only ids and state names: a probe needs no token. */
function missingPlugins(kernel: Kernel): string[] {
  return kernel.plugins
    .list()
    .filter(({ criticality, state }) => criticality === 'required' && pluginStatus(state) !== 'loaded')
    .map(({ id, state }) => `required plugin ${id} is ${state.name}`)
}
