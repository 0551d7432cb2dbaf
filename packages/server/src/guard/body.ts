import { serverErrors } from '../errors.ts'
import { checkStrictJson } from './strict-json.ts'

/** Ceilings of a request body. */
export interface BodyLimits {
  /** Default 1 MiB. */
  readonly bytes: number
  /** Nesting of objects and arrays. Default 32. */
  readonly depth: number
}

/** Content types beside JSON, by exact path. */
export type BodyTypes = Readonly<Record<string, readonly string[]>>

/** Paths whose bodies are passed on as they come, and the content types they may have; what is too much is their route's to say. */
export type StreamedBodies = Readonly<Record<string, readonly string[]>>

/** Whether a request's body is passed on as it comes. */
export function isStreamed(request: Request, path: string, streamed: StreamedBodies): boolean {
  return request.method === 'POST' && Object.hasOwn(streamed, path) && (streamed[path] ?? []).includes(typeOf(request))
}

function typeOf(request: Request): string {
  return request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
}

/**
 * Reads the body within its limits, checks it, and answers a request that carries the same bytes. A request without a
 * body is answered as it is.
 */
export async function checkBody(request: Request, extraTypes: readonly string[], limits: BodyLimits): Promise<Request> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    if (announcesBody(request.headers)) throw serverErrors.error('SERVER_BODY_UNEXPECTED', { method: request.method })
    return request
  }
  checkEncoding(request)
  const bytes = await readBody(request, limits.bytes)
  if (bytes.length === 0) return withBody(request, undefined)
  const types = ['application/json', ...extraTypes]
  const type = typeOf(request)
  if (!types.includes(type)) {
    throw serverErrors.error('SERVER_BODY_TYPE_REFUSED', { types: types.join(' or '), first: types[0] })
  }
  const text = decode(bytes)
  if (type === 'application/json') checkStrictJson(text, limits.depth)
  return withBody(request, text)
}

/** Errors: `SERVER_BODY_ENCODED`. */
export function checkEncoding(request: Request): void {
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') throw serverErrors.error('SERVER_BODY_ENCODED')
}

function announcesBody(headers: Headers): boolean {
  return headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'
}

async function readBody(request: Request, limitBytes: number): Promise<Uint8Array> {
  const tooLarge = (): Error => serverErrors.error('SERVER_BODY_TOO_LARGE', { limitBytes })
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > limitBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw serverErrors.error('SERVER_BODY_INVALID', { reason: 'it is not UTF-8' })
  }
}

function withBody(request: Request, body: string | undefined): Request {
  const { url, method, signal } = request
  const headers = new Headers(request.headers)
  // Clients announce JSON and send nothing; a body that is not there has no type.
  if (body === undefined) headers.delete('content-type')
  return new Request(url, { method, headers, signal, ...(body === undefined ? {} : { body }) })
}
