import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '@backplane/server'
import type { PlatformError } from '@backplane/sdk'
import type { ExportsConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import { JobRequest } from '../jobs/job-definition.ts'
import { acceptJob, type AcceptedJob } from '../jobs/job-intake.ts'
import { asPlatformError, type JobLedger } from '../jobs/job-ledger.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import { jobStatuses } from '../jobs/job.ts'
import type { ProviderRegistry } from '../providers/provider-registry.ts'
import { checkInput, queryObject } from './query-parameters.ts'
import { submittedJobs, yamlTypes } from './submitted-jobs.ts'
import { CancelAnswer, JobList, json, now, problem, SubmitAnswer } from './views.ts'

/** What the job routes work on. */
export interface JobApi {
  readonly ledger: JobLedger
  readonly runner: JobRunner
  readonly providers: ProviderRegistry
  readonly exports: ExportsConfig
}

const JobInput = z.union([JobRequest, z.strictObject({ jobs: z.array(JobRequest) }), z.array(JobRequest)])

const List = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').filter((part) => part !== '') : value),
  z.array(z.string().max(64)).max(1000),
)
const Query = z.strictObject({
  job_ids: List.optional(),
  status: z
    .preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(z.enum(jobStatuses)))
    .optional(),
  /** Every job, whatever else narrows. */
  all: z
    .preprocess((value) => (value === 'true' || value === '' ? true : value === 'false' ? false : value), z.boolean())
    .optional(),
  limit: z.int().min(1).max(10_000).default(100),
})
const Cancel = z.strictObject({ job_ids: z.array(z.string().max(64)).min(1).max(1000) })

const submit = createRoute({
  method: 'post',
  path: '/jobs/submit',
  summary: 'Queue exports: one job, {"jobs": […]} or a list, as JSON or YAML; durable when answered',
  request: {
    body: {
      content: {
        'application/json': { schema: JobInput },
        ...Object.fromEntries(yamlTypes.map((type) => [type, { schema: z.string() }])),
      },
    },
  },
  responses: {
    202: json(SubmitAnswer, 'At least one job was accepted.'),
    400: {
      description: 'None was; or the body is not one that holds jobs.',
      content: { ...json(SubmitAnswer, '').content, ...problem.content },
    },
    default: problem,
  },
})

const queryByGet = createRoute({
  method: 'get',
  path: '/jobs/query',
  summary: 'Jobs by id and status, newest first; repeated parameters or lists with commas',
  request: {
    query: z.object({ job_ids: z.string(), status: z.string(), all: z.string(), limit: z.string() }).partial(),
  },
  responses: { 200: json(JobList, 'The jobs; total counts those beyond the limit too.'), default: problem },
})

const queryByPost = createRoute({
  method: 'post',
  path: '/jobs/query',
  summary: 'Jobs by id and status, newest first',
  request: { body: { content: { 'application/json': { schema: Query } } } },
  responses: { 200: json(JobList, 'The jobs; total counts those beyond the limit too.'), default: problem },
})

const cancel = createRoute({
  method: 'post',
  path: '/jobs/cancel',
  summary: 'Cancel jobs; a running one clears up and then is cancelled',
  request: { body: { content: { 'application/json': { schema: Cancel } } } },
  responses: { 200: json(CancelAnswer, 'Which were, and why the others were not.'), default: problem },
})

/** Routes that submit, find and cancel jobs. Bodies are read by hand, so that a problem names the nearest field. */
export function addJobRoutes(app: OpenAPIHono<{ Bindings: Peer }>, api: JobApi): void {
  for (const route of [submit, queryByGet, queryByPost, cancel]) app.openAPIRegistry.registerPath(route)
  app.post('/jobs/submit', async (context) => {
    const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
    const answer = await submitAll(await submittedJobs(await context.req.text(), type), api)
    return context.json(answer, answer.accepted === 0 ? 400 : 202)
  })
  app.get('/jobs/query', (context) => {
    return context.json(find(queryObject(new URL(context.req.url).searchParams, ['limit']), api))
  })
  app.post('/jobs/query', async (context) => context.json(find(await jsonBody(context.req.raw), api)))
  app.post('/jobs/cancel', async (context) => {
    const { job_ids } = checkInput(Cancel, await jsonBody(context.req.raw))
    const ids = [...new Set(job_ids)]
    // Ids may be called like what every object has.
    const errors = new Map<string, string>()
    for (const id of ids) {
      try {
        api.runner.cancel(id)
      } catch (error) {
        errors.set(id, asPlatformError(error).message)
      }
    }
    const cancelled = ids.filter((id) => !errors.has(id))
    return context.json({ cancelled, failed: [...errors.keys()], errors: Object.fromEntries(errors), timestamp: now() })
  })
}

async function submitAll(values: readonly unknown[], api: JobApi): Promise<z.output<typeof SubmitAnswer>> {
  const { ledger, providers, exports, runner } = api
  const accepted = new Map<string, AcceptedJob>()
  const errors: { index: number; code: string; error: string; hint?: string }[] = []
  for (const [index, value] of values.entries()) {
    try {
      const job = await acceptJob(value, providers, exports)
      const { id } = job.definition
      if (accepted.has(id) || ledger.find(id) !== undefined) throw hypersdkErrors.error('JOB_EXISTS', { id })
      accepted.set(id, job)
    } catch (error) {
      errors.push(itemError(index, asPlatformError(error)))
    }
  }
  const jobs = accepted.size === 0 ? [] : runner.submit([...accepted.values()])
  return {
    job_ids: jobs.map((job) => job.definition.id),
    accepted: jobs.length,
    rejected: errors.length,
    ...(errors.length === 0 ? {} : { errors }),
    timestamp: now(),
  }
}

function itemError(index: number, error: PlatformError): { index: number; code: string; error: string; hint?: string } {
  return { index, code: error.code, error: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}

function find(input: unknown, api: JobApi): unknown {
  const { job_ids, status, all, limit } = checkInput(Query, input)
  const narrowing = all === true ? {} : { ids: job_ids, statuses: status }
  return { ...api.ledger.query({ ...narrowing, limit }), timestamp: now() }
}

async function jsonBody(request: Request): Promise<unknown> {
  const text = await request.text()
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch (error) {
    throw hypersdkErrors.error('JOB_BODY_INVALID', { reason: error instanceof Error ? error.message : String(error) })
  }
}
