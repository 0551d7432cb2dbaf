import { parseStrictJson } from '@backplane/sdk/strict-json'
import { nearestName } from '@backplane/sdk'
import { z } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import { pluginFilterPattern } from './caller.ts'
import { readPrivateFile, writePrivateFile } from './private-file.ts'
import { scopes, type Scope } from './scope.ts'
import { newSecret } from './token-file.ts'
import { tokenDigest, type Token } from './token.ts'

/** What a token is to be. */
export interface TokenRequest {
  /** Lower case letters, digits, `.`, `_` and `-`, 64 at most; begins with a letter or digit. */
  readonly name: string
  readonly scope: Scope
  /** Ids, or `publisher/*`; undefined means all plugins. */
  readonly plugins?: readonly string[] | undefined
  /** Milliseconds since the epoch; undefined means never. */
  readonly expiresAtMs?: number | undefined
}

/** A token that was made by name. */
export interface NamedToken extends Token {
  readonly createdAtMs: number
}

/** Tokens by name, in a file that holds only their digests. Iterates over every token that counts now. */
export interface TokenStore extends Iterable<Token> {
  /** Those that were made by name, in the order they were made. */
  readonly list: () => readonly NamedToken[]
  /**
   * Makes one and writes it down; `secret` is the token itself, which is kept nowhere.
   * Errors: `SERVER_TOKEN_EXISTS`, `SERVER_TOKENS_FULL`, `SERVER_TOKEN_FILE_UNUSABLE`.
   */
  readonly create: (request: TokenRequest) => Promise<{ readonly token: NamedToken; readonly secret: string }>
  /** From now on it is refused, and what it has open ends. Errors: `SERVER_TOKEN_UNKNOWN`, `SERVER_TOKEN_FILE_UNUSABLE`. */
  readonly revoke: (name: string) => Promise<void>
}

/** How a token may be called. */
export const tokenNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** Most tokens of one store: each is compared with for each request. */
const mostTokens = 100

/** Largest file of tokens, bytes. */
const largestFileBytes = 1024 * 1024

const Kept = z.strictObject({
  version: z.literal(1),
  tokens: z
    .array(
      z.strictObject({
        name: z.string().regex(tokenNamePattern),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        scope: z.enum(scopes),
        plugins: z.array(z.string().regex(pluginFilterPattern)).optional(),
        created_at: z.iso.datetime(),
        expires_at: z.iso.datetime().optional(),
      }),
    )
    .max(mostTokens),
})

type Revocable = NamedToken & { readonly end: AbortController }

/**
 * Opens the tokens of a file of mode 0600; none when there is no such file yet. One process at a time may use it. `others`
 * count beside them, and cannot be revoked here: the token of the token file.
 * Errors: `SERVER_TOKEN_FILE_EXPOSED`, `SERVER_TOKEN_STORE_INVALID`, `SERVER_TOKEN_FILE_UNUSABLE`.
 */
export async function tokenStore(path: string, others: readonly Token[]): Promise<TokenStore> {
  const tokens = await unlessUnusable(path, async () => readTokens(path))
  // One write after another: each writes all that was decided before it.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work)
    last = mine
    return mine
  }
  const write = (next: Iterable<Revocable>): Promise<void> => unlessUnusable(path, () => writePrivateFile(path, fileText(next)))
  return {
    [Symbol.iterator]: () => [...others, ...tokens.values()][Symbol.iterator](),
    list: () => [...tokens.values()],
    create: (request) =>
      inTurn(async () => {
        const { name } = request
        if (tokens.has(name)) throw serverErrors.error('SERVER_TOKEN_EXISTS', { name })
        if (tokens.size >= mostTokens) throw serverErrors.error('SERVER_TOKENS_FULL', { limit: mostTokens })
        const secret = newSecret()
        const token = revocable({ ...request, sha256: tokenDigest(secret), createdAtMs: Date.now() })
        await write([...tokens.values(), token])
        tokens.set(name, token)
        return { token, secret }
      }),
    revoke: (name) =>
      inTurn(async () => {
        const token = tokens.get(name)
        if (token === undefined) throw unknownToken(name, tokens.keys())
        await write([...tokens.values()].filter((each) => each !== token))
        tokens.delete(name)
        token.end.abort()
      }),
  }
}

function unknownToken(name: string, known: Iterable<string>): Error {
  const similar = nearestName(name, known)
  const nearest = similar === undefined ? '.' : `; did you mean \`${similar}\`?`
  return serverErrors.error('SERVER_TOKEN_UNKNOWN', { name, nearest })
}

function revocable(token: NamedToken): Revocable {
  const end = new AbortController()
  return { ...token, end, revoked: end.signal }
}

async function readTokens(path: string): Promise<Map<string, Revocable>> {
  const text = await readPrivateFile(path, largestFileBytes)
  if (text === undefined) return new Map()
  const json = parseStrictJson(text, 8)
  const parsed = Kept.safeParse(json.kind === 'value' ? json.value : undefined)
  if (!parsed.success) throw serverErrors.error('SERVER_TOKEN_STORE_INVALID', { path })
  const tokens = parsed.data.tokens.map((kept) => {
    const { name, scope, plugins, created_at, expires_at } = kept
    const sha256 = Buffer.from(kept.sha256, 'hex')
    const expiresAtMs = expires_at === undefined ? undefined : Date.parse(expires_at)
    return [name, revocable({ name, scope, plugins, sha256, createdAtMs: Date.parse(created_at), expiresAtMs })] as const
  })
  return new Map(tokens)
}

function fileText(tokens: Iterable<NamedToken>): string {
  const kept: z.input<typeof Kept>['tokens'] = Array.from(tokens, (token) => ({
    name: token.name,
    sha256: Buffer.from(token.sha256).toString('hex'),
    scope: token.scope,
    ...(token.plugins === undefined ? {} : { plugins: [...token.plugins] }),
    created_at: new Date(token.createdAtMs).toISOString(),
    ...(token.expiresAtMs === undefined ? {} : { expires_at: new Date(token.expiresAtMs).toISOString() }),
  }))
  return `${JSON.stringify({ version: 1, tokens: kept }, undefined, 2)}\n`
}

async function unlessUnusable<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SERVER_')) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw serverErrors.error('SERVER_TOKEN_FILE_UNUSABLE', { path, reason }, { cause: error })
  }
}
