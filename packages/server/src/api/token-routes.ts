import type { AuditTrail, Log } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import type { NamedToken, TokenStore } from '../guard/token-store.ts'
import type { Peer } from '../handler.ts'
import { definitions, type TokenView } from './token-definitions.ts'

/** Where changes of tokens are written down, with who made them. */
export interface TokenRecords {
  readonly log?: Log
  readonly audit?: AuditTrail
}

/** Adds what makes, lists and revokes tokens. */
export function addTokenRoutes(app: OpenAPIHono<{ Bindings: Peer }>, tokens: TokenStore, { log, audit }: TokenRecords): void {
  const note = (action: string, subject: string, by: string, details: Readonly<Record<string, string>> = {}): void =>
    audit?.note({ actor: { kind: 'token', name: by }, action, subject, outcome: 'ok', details })

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
    const by = byWhom(context.env)
    const fields = { token: name, scope, ...(plugins === undefined ? {} : { plugins }), by }
    log?.write({ level: 'info', message: 'a token was made', fields })
    note('token.made', name, by, {
      scope,
      ...(plugins === undefined ? {} : { plugins: plugins.join(', ') }),
      ...(expires_at === undefined ? {} : { expires_at }),
    })
    return context.json({ ...tokenView(token), token: secret }, 201, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.revokeToken, async (context) => {
    const { name } = context.req.valid('param')
    await tokens.revoke(name)
    const by = byWhom(context.env)
    log?.write({ level: 'info', message: 'a token was revoked', fields: { token: name, by } })
    note('token.revoked', name, by)
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
