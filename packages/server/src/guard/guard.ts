import type { ErrorCatalogue } from '@backplane/sdk'
import type { Log } from '@backplane/kernel'
import type { Handler } from '../handler.ts'
import { problemResponder } from '../problem.ts'
import { checkBody, type BodyLimits, type BodyTypes } from './body.ts'
import { checkHost } from './host.ts'
import { checkMethod } from './method.ts'
import { checkOrigin } from './origin.ts'
import { checkPath } from './path.ts'
import { checkScope, managementScope, type Scope, type ScopeOf } from './scope.ts'
import { tokenCheck, type Token } from './token.ts'

/** What the guard lets through. Everything has a default that suits a daemon on loopback. */
export interface GuardOptions {
  /** Who may call over TCP. Without one, nobody may. */
  readonly tokens: readonly Token[]
  /** Exact `host:port` names beside the loopback ones of the port listened on. */
  readonly hosts?: readonly string[]
  /** Origins (`https://console.example`) beside the server's own. */
  readonly origins?: readonly string[]
  /** Paths that need no token, for probes. Default `/healthz` and `/readyz`. */
  readonly open?: readonly string[]
  /** Default GET, HEAD, POST, DELETE. */
  readonly methods?: readonly string[]
  /** Which scope a request needs. Default {@link managementScope}. */
  readonly scopeOf?: ScopeOf
  /** Body types beside JSON, by path: `{ '/jobs/submit': ['application/yaml'] }`. Only JSON is checked for depth and keys. */
  readonly bodyTypes?: BodyTypes
  readonly limits?: Partial<BodyLimits>
  /** Wrong tokens per address and minute before the answer is 429. Default 20. */
  readonly failuresPerMinute?: number
  /** Errors whose status is wanted when the handler throws them. */
  readonly catalogues?: readonly ErrorCatalogue[]
  readonly log?: Log
}

/**
 * What stands before routing: host, origin, token, method, scope, path and body are checked in this order, and the
 * first that does not fit is the answer, as problem+json. The handler gets a body that is already read and checked. It
 * also answers for what the handler throws, so a fault in a route never ends the process.
 *
 * Errors: `SERVER_HOST_REFUSED`, `SERVER_ORIGIN_REFUSED`, `SERVER_TOKEN_MISSING`, `SERVER_TOKEN_REFUSED`,
 * `SERVER_TOKEN_RATE_LIMITED`, `SERVER_METHOD_REFUSED`, `SERVER_SCOPE_REFUSED`, `SERVER_PATH_INVALID`, `SERVER_BODY_*`.
 */
export function guard(options: GuardOptions): (handler: Handler) => Handler {
  const hosts = options.hosts ?? []
  const origins = options.origins ?? []
  const open = new Set(options.open ?? ['/healthz', '/readyz'])
  const methods = options.methods ?? ['GET', 'HEAD', 'POST', 'DELETE']
  const scopeOf = options.scopeOf ?? managementScope
  const bodyTypes = options.bodyTypes ?? {}
  const limits: BodyLimits = { bytes: 1024 * 1024, depth: 32, ...options.limits }
  const checkToken = tokenCheck(options.tokens, options.failuresPerMinute ?? 20)
  const answer = problemResponder(options.catalogues ?? [], options.log)

  return (handler) => async (request, peer) => {
    try {
      const path = new URL(request.url).pathname
      checkHost(peer, hosts)
      checkOrigin(request.headers, peer, origins)
      const scope: Scope = peer.via === 'unix' ? 'admin' : open.has(path) ? 'read' : checkToken(request.headers, peer.address)
      checkMethod(request.method, methods)
      checkScope(scope, scopeOf(request.method, path))
      checkPath(path, peer.target)
      const checked = await checkBody(request, bodyTypes[path] ?? [], limits)
      return await handler(checked, peer)
    } catch (error) {
      return answer(error)
    }
  }
}
