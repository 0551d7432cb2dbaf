import { createRoute, z } from '@hono/zod-openapi'
import { pluginFilterPattern } from '../guard/caller.ts'
import { scopes } from '../guard/scope.ts'
import { tokenNamePattern } from '../guard/token-store.ts'
import { json, problem } from './route-parts.ts'

const Time = z.string().describe('RFC 3339, UTC.')

/** A token as the API tells of it: never the token itself, nor its digest. */
export const TokenView = z
  .object({
    name: z.string(),
    scope: z.enum(scopes).describe('Each includes those before it.'),
    plugins: z.array(z.string()).nullable().describe('Ids, or `publisher/*`; null means all plugins and the host itself.'),
    created_at: Time,
    expires_at: Time.nullable().describe('Null means never.'),
    expired: z.boolean(),
  })
  .openapi('Token')

/** A token that was just made, the only time it is shown. */
export const NewToken = TokenView.extend({
  token: z.string().describe('What to send as the bearer token. It is kept nowhere and shown once.'),
}).openapi('NewToken')

/** What a token is to be. */
export const TokenRequestBody = z
  .strictObject({
    name: z.string().regex(tokenNamePattern).describe('Lower case letters, digits, `.`, `_` and `-`, 64 at most.'),
    scope: z.enum(scopes),
    plugins: z.array(z.string().regex(pluginFilterPattern)).min(1).max(100).optional().describe('Default: all plugins.'),
    expires_at: z.iso.datetime({ offset: true }).optional().describe('RFC 3339, in the future. Default: never.'),
  })
  .openapi('TokenRequest')

/** The tokens that were made by name, in the order they were made. */
export const TokenList = z.object({ tokens: z.array(TokenView), count: z.int() }).openapi('TokenList')

const listTokens = createRoute({
  method: 'get',
  path: '/api/tokens',
  summary: 'List the tokens that were made by name',
  responses: {
    200: json(TokenList, 'In the order they were made.'),
    default: problem,
  },
})

const createToken = createRoute({
  method: 'post',
  path: '/api/tokens',
  summary: 'Make a token; the answer is the only place that shows it',
  request: { body: { required: true, content: { 'application/json': { schema: TokenRequestBody } } } },
  responses: { 201: json(NewToken, 'The token.'), default: problem },
})

const revokeToken = createRoute({
  method: 'delete',
  path: '/api/tokens/{name}',
  summary: 'Refuse a token from now on, and end the streams it has open',
  request: { params: z.object({ name: z.string().regex(tokenNamePattern) }) },
  responses: { 204: { description: 'Done.' }, default: problem },
})

/** All of them. */
export const definitions = { listTokens, createToken, revokeToken } as const
