import { dirname } from 'node:path'
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi'
import { serverSentEvents, streamLimit, type Peer, type ServerSentEvent } from '@backplane/server'
import { hypersdkErrors } from '../errors.ts'
import { readArtifactManifest, type ArtifactManifest } from '../export/artifact-manifest.ts'
import { isIntact, verifySteps, type VerifiedFile } from '../export/verify-artifact.ts'
import type { JobLedger } from '../jobs/job-ledger.ts'
import { json, now, problem, VerifyAnswer } from './views.ts'

/** Verifications at once: each reads disks as fast as they come. */
const mostVerifications = 2
const params = z.object({ id: z.string().max(64) })

const verifyJob = createRoute({
  method: 'get',
  path: '/jobs/{id}/verify',
  summary: "Read a completed job's files again and compare them with its manifest; takes as long as reading them",
  request: { params },
  responses: { 200: json(VerifyAnswer, 'What each file is, intact or not.'), default: problem },
})
const streamVerify = createRoute({
  method: 'get',
  path: '/jobs/{id}/verify/events',
  summary: 'The same as it happens (SSE): progress, file, end; ends when the caller leaves',
  request: { params },
  responses: {
    200: { description: 'Events.', content: { 'text/event-stream': { schema: z.string() } } },
    default: problem,
  },
})

/** Routes that verify what a job exported. */
export function addVerifyRoutes(app: OpenAPIHono<{ Bindings: Peer }>, ledger: JobLedger): void {
  const begin = streamLimit(mostVerifications)
  app.openapi(verifyJob, async (context) => {
    const artifact = await artifactOf(ledger, context.req.valid('param').id)
    const ended = begin()
    try {
      const { signal } = context.req.raw
      const files: VerifiedFile[] = []
      for await (const step of verifySteps(artifact.manifest, artifact.directory, signal)) {
        if (step.kind === 'file') files.push(step.file)
      }
      return context.json(answer(artifact, files), 200)
    } finally {
      ended()
    }
  })
  app.openapi(streamVerify, async (context) => {
    const artifact = await artifactOf(ledger, context.req.valid('param').id)
    return serverSentEvents(context.env, (signal) => events(artifact, signal), { onEnd: begin() })
  })
}

interface Artifact {
  readonly id: string
  readonly path: string
  readonly directory: string
  readonly manifest: ArtifactManifest
}

/** The manifest a job wrote. Errors: `JOB_UNKNOWN`, `JOB_NOT_COMPLETED`, `JOB_EXPORT_REPLACED`, `EXPORT_MANIFEST_INVALID`. */
async function artifactOf(ledger: JobLedger, id: string): Promise<Artifact> {
  const { status, result } = ledger.get(id)
  const path = result?.metadata['manifest']
  if (status !== 'completed' || typeof path !== 'string') throw hypersdkErrors.error('JOB_NOT_COMPLETED', { id, status })
  const manifest = await readArtifactManifest(path)
  // Whoever can change disks can change the manifest too; the job's own record is the one to believe.
  const isOwn =
    manifest.metadata['export_id'] === id && manifest.disks.some((disk) => disk.checksum === `sha256:${result?.checksum}`)
  if (!isOwn) throw hypersdkErrors.error('JOB_EXPORT_REPLACED', { id, path })
  return { id, path, directory: dirname(path), manifest }
}

async function* events(artifact: Artifact, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
  const files: VerifiedFile[] = []
  for await (const step of verifySteps(artifact.manifest, artifact.directory, signal)) {
    if (step.kind === 'progress') {
      yield { event: 'progress', data: step.progress }
    } else {
      files.push(step.file)
      yield { event: 'file', data: step.file }
    }
  }
  yield { event: 'end', data: answer(artifact, files) }
}

function answer({ id, path }: Artifact, files: VerifiedFile[]): z.output<typeof VerifyAnswer> {
  return { job_id: id, ok: isIntact(files), manifest: path, files, timestamp: now() }
}
