import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import { serverSentEvents, streamLimit, type Peer } from '@backplane/server'
import type { JobLedger } from '../jobs/job-ledger.ts'
import { jobEvents } from './job-events.ts'
import { EtaAnswer, JobView, json, LogAnswer, now, problem, ProgressAnswer } from './views.ts'

/** Job streams open at once. */
const mostStreams = 64
const params = z.object({ id: z.string().max(64) })

const getJob = createRoute({
  method: 'get',
  path: '/jobs/{id}',
  summary: 'One job',
  request: { params },
  responses: { 200: json(JobView, 'The job.'), default: problem },
})
const getProgress = createRoute({
  method: 'get',
  path: '/jobs/progress/{id}',
  summary: 'How far a job is',
  request: { params },
  responses: { 200: json(ProgressAnswer, 'The progress; without its members before the job ran.'), default: problem },
})
const getLogs = createRoute({
  method: 'get',
  path: '/jobs/logs/{id}',
  summary: "A job's log, oldest line first",
  request: {
    params,
    query: z.object({
      since: z.coerce.number().int().min(0).default(0).describe('Only lines after this one.'),
      limit: z.coerce.number().int().min(1).max(10_000).default(1000),
    }),
  },
  responses: { 200: json(LogAnswer, 'The lines.'), default: problem },
})
const getEta = createRoute({
  method: 'get',
  path: '/jobs/eta/{id}',
  summary: 'When a job will be done, as far as can be told',
  request: { params },
  responses: { 200: json(EtaAnswer, 'The estimate.'), default: problem },
})
const streamJob = createRoute({
  method: 'get',
  path: '/jobs/{id}/events',
  summary: 'A job as it happens (SSE): log, progress, end; resumable',
  request: { params, headers: z.object({ 'last-event-id': z.coerce.number().int().min(0).optional() }) },
  responses: {
    200: { description: 'Events.', content: { 'text/event-stream': { schema: z.string() } } },
    default: problem,
  },
})

/** Routes that look at one job. */
export function addJobStateRoutes(app: OpenAPIHono<{ Bindings: Peer }>, ledger: JobLedger): void {
  app.openapi(getProgress, (context) => {
    const job = ledger.get(context.req.valid('param').id)
    return context.json({ job_id: job.definition.id, status: job.status, ...job.progress, timestamp: now() }, 200)
  })
  app.openapi(getLogs, (context) => {
    const { id } = context.req.valid('param')
    const { since, limit } = context.req.valid('query')
    ledger.get(id)
    const logs = [...ledger.logs(id, since, limit)]
    return context.json({ job_id: id, logs, timestamp: now() }, 200)
  })
  app.openapi(getEta, (context) => context.json(eta(ledger, context.req.valid('param').id), 200))
  const beginStream = streamLimit(mostStreams)
  app.openapi(streamJob, (context) => {
    const { id } = context.req.valid('param')
    ledger.get(id)
    const since = context.req.valid('header')['last-event-id'] ?? 0
    return serverSentEvents(context.env, (signal) => jobEvents(ledger, id, since, signal), { onEnd: beginStream() })
  })
  app.openAPIRegistry.registerPath(getJob)
  // What may only be posted is no job either: asked for otherwise it is 405, not a job that is not there.
  app.get('/jobs/:id{(?!submit$|cancel$)[^/]+}', (context) => context.json(ledger.get(context.req.param('id')), 200))
}

function eta(ledger: JobLedger, id: string): z.output<typeof EtaAnswer> {
  const { status, progress } = ledger.get(id)
  const seconds = status === 'running' ? (progress?.estimated_remaining ?? null) : null
  return {
    job_id: id,
    status,
    percent_complete: progress?.percent_complete ?? null,
    bytes_per_second: status === 'running' ? (progress?.bytes_per_second ?? 0) : 0,
    eta_seconds: seconds,
    estimated_completion: seconds === null ? null : new Date(Date.now() + seconds * 1000).toISOString(),
    timestamp: now(),
  }
}
