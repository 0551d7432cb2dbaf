import { readFile } from 'node:fs/promises'
import type { Address } from '@backplane/server/client'
import { backplaneErrors } from './errors.ts'

/** What the command line says about where the host is. */
export interface AddressOptions {
  readonly socket?: string | undefined
  readonly url?: string | undefined
  readonly tokenFile?: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Where the host is; undefined when nothing says. Flags win over `BACKPLANE_SOCKET`, `BACKPLANE_URL` and
 * `BACKPLANE_TOKEN_FILE`. Over a URL the token is read from its file.
 * Errors: `BACKPLANE_URL_INVALID`, `BACKPLANE_TOKEN_UNREADABLE`.
 */
export async function hostAddress(options: AddressOptions, env: Environment): Promise<Address | undefined> {
  const socket = options.socket ?? (options.url === undefined ? env['BACKPLANE_SOCKET'] : undefined)
  if (socket) return { kind: 'socket', path: socket }
  const text = options.url ?? env['BACKPLANE_URL']
  if (!text) return undefined
  const url = URL.parse(text)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw backplaneErrors.error('BACKPLANE_URL_INVALID', { url: text })
  const path = options.tokenFile ?? env['BACKPLANE_TOKEN_FILE']
  return { kind: 'url', url, token: path === undefined ? '' : await readToken(path) }
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code: unknown = Reflect.get(Object(error), 'code')
    throw backplaneErrors.error('BACKPLANE_TOKEN_UNREADABLE', { path, reason: String(code ?? error) }, { cause: error })
  })
  const token = text.trim()
  // What no header can hold is no token.
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token
  throw backplaneErrors.error('BACKPLANE_TOKEN_UNREADABLE', { path, reason: 'it holds no token' })
}
