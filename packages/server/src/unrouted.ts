import type { Hono, NotFoundHandler } from 'hono'
import { serverErrors } from './errors.ts'
import type { Peer } from './handler.ts'
import { problemResponse } from './problem.ts'

/**
 * Answers what no route of an application took: 405 with `Allow` when the path is there with another method, else 404.
 * Use: `app.notFound(unrouted(app))`.
 */
export function unrouted(app: Hono<{ Bindings: Peer }>): NotFoundHandler {
  return (context) => {
    const offered = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => {
      const [handlers] = app.router.match(method, context.req.path)
      // What stands before every route of a path is no route.
      return handlers.some(([[, route]]) => route.method !== 'ALL')
    })
    if (offered.length === 0)
      return problemResponse(serverErrors.error('SERVER_ROUTE_UNKNOWN'), serverErrors.specs.SERVER_ROUTE_UNKNOWN)
    const allow = offered.join(', ')
    const method = context.req.method
    const error = serverErrors.error('SERVER_METHOD_REFUSED', { method, allow }, { details: { allow } })
    return problemResponse(error, serverErrors.specs.SERVER_METHOD_REFUSED)
  }
}
