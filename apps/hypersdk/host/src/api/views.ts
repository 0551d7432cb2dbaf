import { ProblemView } from '@backplane/server'
import { ExportCapabilities, VmInfo } from '@hypersdk/points'
import { z } from '@hono/zod-openapi'
import { jobStatuses } from '../jobs/job.ts'

const Time = z.string().describe('RFC 3339, UTC.')

/** The `timestamp` of an answer. */
export function now(): string {
  return new Date().toISOString()
}

/** Describes a JSON answer in the API document. */
export function json<T extends z.ZodType>(schema: T, description: string): { description: string; content: JsonContent<T> } {
  return { description, content: { 'application/json': { schema } } }
}

type JsonContent<T extends z.ZodType> = { 'application/json': { schema: T } }

/** How every route may fail. */
export const problem = {
  description: 'RFC 9457 problem, with `error` and `timestamp` beside it.',
  content: {
    'application/problem+json': { schema: ProblemView.extend({ error: z.string(), timestamp: Time }).openapi('HypersdkProblem') },
  },
}

/** A provider type: which plugin supplies it, whether it can be used now, and its named instances. */
export const ProviderView = z
  .object({
    type: z.string(),
    name: z.string().describe('For people.'),
    plugin: z.string().describe('Id of the plugin that supplies it.'),
    version: z.string(),
    also_claimed_by: z
      .array(z.string())
      .describe('Other plugins that say they provide it; they get neither its calls nor its credentials.'),
    available: z.boolean(),
    reason: z.string().nullable().describe('Why it is not available.'),
    instances: z.array(z.object({ name: z.string(), configured: z.boolean() })),
    capabilities: ExportCapabilities,
  })
  .openapi('Provider')

/** Machines of one provider instance, every one of them; `count` is how many. */
export const VmList = z
  .object({ vms: z.array(VmInfo), count: z.int(), instance: z.string(), provider: z.string(), timestamp: Time })
  .openapi('VmList')

const JobProgressView = z.object({
  phase: z.string(),
  current_file: z.string().nullable(),
  current_step: z.string(),
  files_downloaded: z.int().describe('Complete ones.'),
  total_files: z.int(),
  bytes_downloaded: z.number().describe('Of the disks, before compression.'),
  bytes_transferred: z.number().describe('The same as bytes_downloaded, under the name older clients read.'),
  total_bytes: z.number().nullable().describe('Of all disks; null while nobody knows.'),
  percent_complete: z.number().nullable().describe('0 to 100; null while the total is not known.'),
  estimated_remaining: z.number().nullable().describe('Seconds.'),
  bytes_per_second: z.number(),
  export_method: z.string(),
})

/** How far a job is; bytes, seconds and bytes per second. The members beside id and status are there once it runs. */
export const ProgressAnswer = JobProgressView.partial()
  .extend({ job_id: z.string(), status: z.enum(jobStatuses), timestamp: Time })
  .openapi('JobProgress')

/** One export job in full: what was asked for, how it stands, what came of it and how often it was tried. */
export const JobView = z
  .object({
    definition: z.looseObject({
      id: z.string(),
      name: z.string(),
      provider: z.string(),
      vm_id: z.string(),
      vm_path: z.string(),
      output_dir: z.string(),
      output_path: z.string(),
    }),
    status: z.enum(jobStatuses),
    progress: JobProgressView.nullable(),
    result: z
      .looseObject({
        files: z.array(z.string()),
        checksum: z.string().describe('SHA-256 of the main file.'),
        total_size: z.int().describe('Bytes.'),
      })
      .nullable(),
    error: z.string().nullable(),
    failure: z.looseObject({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
    plugin: z.object({ id: z.string(), version: z.string(), generation: z.int() }).nullable(),
    attempts: z.int().describe('Times it was begun.'),
    retries: z.int().describe('Times it was begun again after an error that may pass.'),
    crashes: z.int().describe('Deaths of the daemon while it ran.'),
    next_attempt_at: Time.nullable(),
    cancel_requested: z.boolean(),
    manifest: z.string().nullable().describe('Path of the artifact manifest, once the export is complete.'),
    started_at: Time.nullable(),
    completed_at: Time.nullable(),
    updated_at: Time,
  })
  .openapi('Job')

/** What was queued of a submission and, by its index in it, why the rest was not. */
export const SubmitAnswer = z
  .object({
    job_ids: z.array(z.string()),
    accepted: z.int(),
    rejected: z.int(),
    errors: z.array(z.object({ index: z.int(), code: z.string(), error: z.string(), hint: z.string().optional() })).optional(),
    timestamp: Time,
  })
  .openapi('SubmitAnswer')

/** Jobs, newest first; `total` counts those beyond the limit too. */
export const JobList = z.object({ jobs: z.array(JobView), total: z.int(), timestamp: Time }).openapi('JobList')

/** Ids of jobs that are being cancelled, and of those that are not, with the reason of each. */
export const CancelAnswer = z
  .object({
    cancelled: z.array(z.string()),
    failed: z.array(z.string()),
    errors: z.record(z.string(), z.string()),
    timestamp: Time,
  })
  .openapi('CancelAnswer')

/** Lines of a job's log, oldest first; `seq` is what to go on after. */
export const LogAnswer = z
  .object({
    job_id: z.string(),
    logs: z.array(
      z.object({
        seq: z.int(),
        time: Time,
        level: z.enum(['debug', 'info', 'warn', 'error']),
        message: z.string(),
        fields: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
    timestamp: Time,
  })
  .openapi('JobLog')

/** When a job will be done at the rate it has; null where that cannot be told. */
export const EtaAnswer = z
  .object({
    job_id: z.string(),
    status: z.enum(jobStatuses),
    percent_complete: z.number().nullable(),
    bytes_per_second: z.number(),
    eta_seconds: z.number().nullable().describe('From now.'),
    estimated_completion: Time.nullable(),
    timestamp: Time,
  })
  .openapi('JobEta')

/** What became of each file of a finished export, by reading it again. */
export const VerifyAnswer = z
  .object({
    job_id: z.string(),
    ok: z.boolean().describe('Every file is intact.'),
    manifest: z.string().describe('Path of the artifact manifest that was compared with.'),
    files: z.array(
      z.object({
        disk: z.string(),
        path: z.string(),
        status: z.enum(['intact', 'missing', 'wrong-size', 'wrong-checksum', 'unreadable']),
        bytes: z.int().describe('Length it should have.'),
        expected: z.string().describe('Checksum it should have.'),
        checksum: z.string().nullable().describe('Checksum it has; null when it was not read to its end.'),
      }),
    ),
    timestamp: Time,
  })
  .openapi('Verification')
