import type { Log } from '@backplane/kernel'
import type { ErrorCatalogue } from '@backplane/sdk'
import type { RequestAudit } from '../audit/request-audit.ts'
import type { Handler } from '../handler.ts'
import { problemResponder } from '../problem.ts'
import { accessLookup, checkAccess, managementAccess, type AccessTable } from './access.ts'
import { checkBody, checkEncoding, isStreamed, type StreamedBodies, type BodyLimits, type BodyTypes } from './body.ts'
import type { Caller } from './caller.ts'
import { isPreflight, preflightAnswer, readableBy } from './cors.ts'
import { checkHost } from './host.ts'
import { checkMethod } from './method.ts'
import { checkOrigin } from './origin.ts'
import { checkPath } from './path.ts'
import { endOfCall } from './token-end.ts'
import { tokenCheck, type Token } from './token.ts'

/** What the guard lets through. Everything has a default that suits a daemon on loopback. */
export interface GuardOptions {
  /** Who may call over TCP. Without one, nobody may. Gone through for each request, so a store of them may change. */
  readonly tokens: Iterable<Token>
  /** Exact `host:port` names beside the loopback ones of the port listened on. */
  readonly hosts?: readonly string[]
  /**
   * Origins (`https://console.example`) beside the server's own whose pages may send requests and read the answers (CORS),
   * each with a token. Default none.
   */
  readonly origins?: readonly string[]
  /** Paths that need no token, for probes. Default `/healthz` and `/readyz`. */
  readonly open?: readonly string[]
  /** Default GET, HEAD, POST, PUT, DELETE. */
  readonly methods?: readonly string[]
  /** What each route needs. Default {@link managementAccess}. */
  readonly access?: AccessTable
  /** Body types beside JSON, by path: `{ '/jobs/submit': ['application/yaml'] }`. Only JSON is checked for depth and keys. */
  readonly bodyTypes?: BodyTypes
  readonly limits?: Partial<BodyLimits>
  /** Wrong tokens per address and minute before the answer is 429. Default 20. */
  readonly failuresPerMinute?: number
  /** Errors whose status is wanted when the handler throws them. */
  readonly catalogues?: readonly ErrorCatalogue[]
  readonly log?: Log
  /** Writes down who changes what, before it is done and with what came of it. */
  readonly audit?: RequestAudit | undefined
}

/**
 * What stands before routing: host, origin, token, method, path, scope and body are checked in this order, and the
 * first that does not fit is the answer, as problem+json. The handler gets a body that is already read and checked, and is
 * told the {@link Caller}. It also answers for what the handler throws, so a fault in a route never ends the process.
 *
 * Errors: `SERVER_HOST_REFUSED`, `SERVER_ORIGIN_REFUSED`, `SERVER_TOKEN_MISSING`, `SERVER_TOKEN_REFUSED`,
 * `SERVER_TOKEN_EXPIRED`, `SERVER_TOKEN_RATE_LIMITED`, `SERVER_METHOD_REFUSED`, `SERVER_PATH_INVALID`,
 * `SERVER_SCOPE_REFUSED`, `SERVER_PLUGINS_REFUSED`, `SERVER_BODY_*`.
 */
export function guard(options: GuardOptions): (handler: Handler) => Handler {
  const hosts = options.hosts ?? []
  const origins = options.origins ?? []
  const open = new Set(options.open ?? ['/healthz', '/readyz'])
  const methods = options.methods ?? ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']
  const accessOf = accessLookup(options.access ?? managementAccess)
  const bodyTypes = options.bodyTypes ?? {}
  const limits: BodyLimits = { bytes: 1024 * 1024, depth: 32, ...options.limits }
  const checkToken = tokenCheck(options.tokens, options.failuresPerMinute ?? 20)
  const problem = problemResponder(options.catalogues ?? [], options.log)

  return (handler) => async (request, peer) => {
    let foreign: string | undefined
    let caller: Caller | undefined
    let isRouted = false
    const { audit } = options
    const answer = async (): Promise<Response> => {
      const path = new URL(request.url).pathname
      checkHost(peer, hosts)
      foreign = checkOrigin(request.headers, peer, origins)
      if (foreign !== undefined && isPreflight(request)) return preflightAnswer(methods)
      const token = peer.via === 'unix' ? owner : open.has(path) ? anyone : checkToken(request.headers, peer.address)
      caller = callerOf(token)
      checkMethod(request.method, methods)
      checkPath(path, peer.target)
      checkAccess(token, accessOf(request.method, path))
      const checked = isStreamed(request, path, streamedBodies)
        ? uncoded(request)
        : await checkBody(request, bodyTypes[path] ?? [], limits)
      const settle = await audit?.begin({ method: request.method, path, caller, peer })
      isRouted = true
      const known = { ...peer, caller, closing: endOfCall(token, peer.closing) }
      if (settle === undefined) return await handler(checked, known)
      let isLater = false
      const auditLater = (): typeof settle => {
        isLater = true
        return settle
      }
      const answered = await answerOf(async () => handler(checked, { ...known, auditLater }))
      if (!isLater) await settle(answered)
      return answered
    }
    const answerOf = (work: () => Promise<Response>): Promise<Response> => work().catch((error: unknown) => problem(error))
    const answered = await answerOf(answer)
    if (!isRouted) audit?.refused({ method: request.method, path: new URL(request.url).pathname, caller, peer }, answered)
    return foreign === undefined ? answered : readableBy(foreign, answered)
  }
}

/** Archives, which are larger than what is read into memory. */
const archives = ['multipart/form-data', 'application/gzip', 'application/zip', 'application/octet-stream']
const streamedBodies: StreamedBodies = { '/api/plugins/install': archives, '/api/plugins/upload': archives }

function uncoded(request: Request): Request {
  checkEncoding(request)
  return request
}

/** Whoever can connect to the unix socket is its owner. */
const owner: Caller = { name: 'unix socket', scope: 'admin' }
const anyone: Caller = { name: 'anyone', scope: 'read' }

function callerOf({ name, scope, plugins }: Caller): Caller {
  return { name, scope, plugins }
}
