import { OpenAPIHono } from '@hono/zod-openapi'
import { managementAccess } from '../guard/access.ts'
import { routes } from './routes.ts'
import { securedDocument } from './secured-document.ts'

/** The management API as OpenAPI 3.1; the same document `/openapi.json` answers with. */
export function openapiDocument(): ReturnType<OpenAPIHono['getOpenAPI31Document']> {
  const app = new OpenAPIHono()
  for (const route of routes) app.openAPIRegistry.registerPath(route)
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Backplane management API',
      version: '1.0.0',
      description: 'Over a unix socket no token is asked. Every error is an RFC 9457 problem with a stable `code`.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
  })
  return securedDocument(document, managementAccess)
}
