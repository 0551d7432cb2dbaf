import type { Log } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import type { NamedToken, TokenStore } from '../guard/token-store.ts'
import type { Peer } from '../handler.ts'
import { definitions, type TokenView } from './token-definitions.ts'

/** Adds what makes, lists and revokes tokens. Each change is a line in the log, with who made it. */
export function addTokenRoutes(app: OpenAPIHono<{ Bindings: Peer }>, tokens: TokenStore, log: Log | undefined): void {
  app.openapi(definitions.listTokens, (context) => {
    const views = tokens.list().map(tokenView)
    return context.json({ tokens: views, count: views.length }, 200, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.createToken, async (context) => {
    const { name, scope, plugins, expires_at } = context.req.valid('json')
    const expiresAtMs = expires_at === undefined ? undefined : Date.parse(expires_at)
    if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) {
      throw serverErrors.error('SERVER_REQUEST_INVALID', { reason: 'expires_at: is in the past' })
    }
    const { token, secret } = await tokens.create({ name, scope, plugins, expiresAtMs })
    const fields = { token: name, scope, ...(plugins === undefined ? {} : { plugins }), by: byWhom(context.env) }
    log?.write({ level: 'info', message: 'a token was made', fields })
    return context.json({ ...tokenView(token), token: secret }, 201, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.revokeToken, async (context) => {
    const { name } = context.req.valid('param')
    await tokens.revoke(name)
    log?.write({ level: 'info', message: 'a token was revoked', fields: { token: name, by: byWhom(context.env) } })
    return context.body(null, 204)
  })
}

function byWhom({ caller }: Peer): string {
  return caller?.name ?? 'unknown'
}

function tokenView({ name, scope, plugins, createdAtMs, expiresAtMs }: NamedToken): z.output<typeof TokenView> {
  return {
    name,
    scope,
    plugins: plugins === undefined ? null : [...plugins],
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    expired: expiresAtMs !== undefined && expiresAtMs <= Date.now(),
  }
}
