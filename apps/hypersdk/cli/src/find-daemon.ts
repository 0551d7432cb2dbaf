import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '@backplane/server/client'
import { cliErrors } from './errors.ts'

/** What the command line says about it. */
export interface AddressOptions {
  readonly socket?: string | undefined
  readonly url?: string | undefined
  readonly tokenFile?: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Flags win over `HYPERSDK_SOCKET`, `HYPERSDK_URL` and `HYPERSDK_TOKEN_FILE`, and those over the daemon's default places.
 * Over a URL the token is read from its file. Errors: `CLI_URL_INVALID`, `CLI_TOKEN_UNREADABLE`.
 */
export async function findDaemon(options: AddressOptions, env: Environment, uid: number | undefined): Promise<Address> {
  const socket = options.socket ?? (options.url === undefined ? env['HYPERSDK_SOCKET'] : undefined)
  if (socket) return { kind: 'socket', path: socket }
  const text = options.url ?? env['HYPERSDK_URL']
  const places = defaultPlaces(env, uid)
  if (!text) return { kind: 'socket', path: places.socket }
  const url = URL.parse(text)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw cliErrors.error('CLI_URL_INVALID', { url: text })
  const path = options.tokenFile ?? env['HYPERSDK_TOKEN_FILE'] ?? places.tokenFile
  return { kind: 'url', url, token: await readToken(path) }
}

/** Where hypervisord listens and keeps its token when nothing says otherwise: FHS for root, XDG for everybody else. */
function defaultPlaces(env: Environment, uid: number | undefined): { readonly socket: string; readonly tokenFile: string } {
  const home = env['HOME'] || homedir()
  const data = uid === 0 ? '/var/lib/hypersdk' : join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'hypersdk')
  const runtime = uid === 0 ? '/run' : env['XDG_RUNTIME_DIR']
  return {
    socket: runtime ? join(runtime, 'hypersdk/hypervisord.sock') : join(data, 'hypervisord.sock'),
    tokenFile: join(env['HYPERSDK_DATA_DIRECTORY'] || data, 'token'),
  }
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code: unknown = Reflect.get(Object(error), 'code')
    throw cliErrors.error('CLI_TOKEN_UNREADABLE', { path, reason: String(code ?? error) }, { cause: error })
  })
  const token = text.trim()
  // What no header can hold is no token.
  if (/^[\x21-\x7e]{1,512}$/.test(token)) return token
  throw cliErrors.error('CLI_TOKEN_UNREADABLE', { path, reason: 'it holds no token' })
}
