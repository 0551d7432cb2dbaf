import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'

/**
 * Lets `publisher/name` be written with its slash as it is. Added last: `GET /api/plugins/one/usage` is the usage of the
 * plugin `one`, and a plugin called `one/usage` is named with `%2F`.
 */
export function addUnescapedIds(app: OpenAPIHono<{ Bindings: Peer }>): void {
  app.on(['GET', 'DELETE'], '/api/plugins/:publisher/:name', (context) => {
    const { publisher, name } = context.req.param()
    return app.fetch(at(context.req.raw, `/api/plugins/${encodeURIComponent(`${publisher}/${name}`)}`), context.env)
  })
  app.on(['GET', 'POST', 'PUT'], '/api/plugins/:publisher/:name/:action', (context) => {
    const { publisher, name, action } = context.req.param()
    const id = encodeURIComponent(`${publisher}/${name}`)
    return app.fetch(at(context.req.raw, `/api/plugins/${id}/${encodeURIComponent(action)}`), context.env)
  })
}

function at(request: Request, pathname: string): Request {
  const url = new URL(request.url)
  url.pathname = pathname
  return new Request(url, request)
}
