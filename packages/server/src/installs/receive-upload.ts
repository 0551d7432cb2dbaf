import { pipeline } from 'node:stream/promises'
import { Readable, Transform } from 'node:stream'
import { PlatformError } from '@backplane/sdk'
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy'
import { serverErrors } from '../errors.ts'
import type { InstallWork, KeptUpload, PluginInstalls } from './plugin-installs.ts'

/** Types an archive may be sent as without a form around it. */
const plainTypes: ReadonlySet<string> = new Set(['application/gzip', 'application/zip', 'application/octet-stream'])

/** Beside the archive: the lines of a form around it, bytes. */
const formBytes = 64 * 1_024

/** Whether a request brings an archive along. */
export function bringsArchive(request: Request): boolean {
  const type = mediaType(request)
  return type === 'multipart/form-data' || plainTypes.has(type)
}

/**
 * Gives the archive of a request to the host as it comes in; never more than a piece of it is in memory. Errors:
 * `SERVER_UPLOAD_INVALID`, `SERVER_UPLOAD_TOO_LARGE`, those of archives; then nothing of it is left.
 */
export async function receiveUpload(request: Request, installs: PluginInstalls, work: InstallWork): Promise<KeptUpload> {
  const { body } = request
  if (body === null) throw invalid('there is no body')
  const limitBytes = installs.uploadBytes
  if (plainTypes.has(mediaType(request))) return installs.upload(bounded(Readable.fromWeb(body), limitBytes), work)
  const given = request.headers.get('content-type') ?? ''
  return fromForm(Readable.fromWeb(body), given, installs, work)
}

async function fromForm(body: Readable, type: string, installs: PluginInstalls, work: InstallWork): Promise<KeptUpload> {
  const limitBytes = installs.uploadBytes
  const form = formOf(type)
  const broken = new AbortController()
  const signal = AbortSignal.any([work.signal, broken.signal])
  const whole = Promise.withResolvers<void>()
  whole.promise.catch(() => undefined)
  let kept: Promise<KeptUpload> | undefined
  let problem: string | undefined
  form.on('file', (field, file) => {
    if (field === 'plugin') {
      kept = installs.upload(heldBack(bounded(file, limitBytes), whole.promise), { ...work, signal })
      // Whoever waits for it below is told; what is refused is not read to its end.
      kept.catch(() => broken.abort())
      return
    }
    problem ??= `the field is called ${JSON.stringify(field)} and not "plugin"`
    file.on('error', () => undefined).resume()
  })
  form.on('field', (field) => (problem ??= `${JSON.stringify(field)} is no file`))
  form.on('partsLimit', () => (problem ??= 'it has more than one part'))
  const [read] = await Promise.allSettled([pipeline(body, bounding(limitBytes + formBytes), form, { signal })])
  if (read.status === 'rejected' || problem !== undefined) {
    broken.abort(read.status === 'rejected' ? read.reason : undefined)
    whole.reject(broken.signal.reason)
  } else whole.resolve()
  const [upload] = await Promise.allSettled([kept])
  if (problem !== undefined) throw invalid(problem)
  if (upload.status === 'rejected' && isCoded(upload.reason)) throw upload.reason
  if (read.status === 'rejected') throw isCoded(read.reason) ? read.reason : invalid(reasonOf(read.reason))
  if (upload.status === 'rejected') throw upload.reason
  return upload.value ?? refuse(invalid('it has no field "plugin" with a file'))
}

function formOf(type: string): BusboyInstance {
  try {
    const headers: BusboyHeaders = { 'content-type': type }
    return new Busboy({ headers, limits: { files: 1, parts: 1, headerPairs: 16, fieldSize: 1_024 } })
  } catch (error) {
    throw invalid(reasonOf(error))
  }
}

function isCoded(error: unknown): boolean {
  return error instanceof PlatformError
}

/** Bytes up to a limit; what breaks them off is the sender's. */
async function* bounded(bytes: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0
  try {
    for await (const piece of bytes) {
      sizeBytes += piece.length
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes)
      yield piece
    }
  } catch (error) {
    throw isCoded(error) ? error : invalid(reasonOf(error))
  }
}

/** Ends only when the form around them has, and is in order: what is refused after all is not kept. */
async function* heldBack(bytes: AsyncIterable<Uint8Array>, whole: Promise<void>): AsyncGenerator<Uint8Array> {
  yield* bytes
  await whole
}

function bounding(limitBytes: number): Transform {
  let sizeBytes = 0
  return new Transform({
    transform: (piece: Uint8Array, _, done) => {
      sizeBytes += piece.length
      if (sizeBytes > limitBytes) done(tooLarge(limitBytes - formBytes))
      else done(null, piece)
    },
  })
}

function mediaType(request: Request): string {
  return request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
}

function tooLarge(limitBytes: number): Error {
  return serverErrors.error('SERVER_UPLOAD_TOO_LARGE', { limitBytes })
}

function invalid(reason: string): Error {
  return serverErrors.error('SERVER_UPLOAD_INVALID', { reason: reason.replace(/\.$/, '') })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function refuse(error: Error): never {
  throw error
}
