import type { OpenAPIHono } from '@hono/zod-openapi'
import { accessLookup, type AccessTable } from '../guard/access.ts'

type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const

/**
 * Tells in an API document what the guard asks for: on each operation the scope a token must have, as the role of the bearer
 * scheme, and in `x-plugin-filter` whether a token that is for some plugins alone may use it. `open` paths need no token.
 */
export function securedDocument(
  document: OpenApiDocument,
  table: AccessTable,
  open: readonly string[] = ['/healthz', '/readyz'],
): OpenApiDocument {
  const accessOf = accessLookup(table)
  const paths = Object.entries(document.paths ?? {}).map(([path, item]) => {
    const secured = methods.flatMap((method) => {
      const operation = item[method]
      if (operation === undefined) return []
      const { scope, ofPlugins = false } = accessOf(method.toUpperCase(), path.replaceAll(/[{}]/g, ''))
      const security = open.includes(path) ? [] : [{ token: [scope] }]
      return [[method, { ...operation, security, 'x-plugin-filter': ofPlugins }] as const]
    })
    return [path, { ...item, ...Object.fromEntries(secured) }] as const
  })
  const token = {
    type: 'http' as const,
    scheme: 'bearer',
    description: 'Its scope is one of read, operate, install and admin, each including those before it.',
  }
  const components = { ...document.components, securitySchemes: { ...document.components?.securitySchemes, token } }
  return { ...document, paths: Object.fromEntries(paths), components, security: [{ token: [] }] }
}
