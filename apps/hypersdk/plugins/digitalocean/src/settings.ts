import type { Secrets } from '@backplane/sdk'
import { digitalOceanErrors } from './errors.ts'

/** How the API is reached. */
export interface Settings {
  /** The API's origin; every request goes there and nowhere else. */
  readonly origin: string
  /** Asked for at each request, so that a secret may change. */
  readonly token: () => Promise<string>
  /** Longest one request may take, ms. */
  readonly timeoutMs: number
}

/** What of a provider's configuration matters here. */
export interface InstanceConfig {
  readonly endpoint?: string | undefined
  readonly insecure?: boolean | undefined
  readonly timeout_ms?: number | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** Reads an instance's configuration. Errors: `DIGITALOCEAN_SETTING_INVALID` naming the setting. */
export function readSettings(config: InstanceConfig, secrets: Secrets): Settings {
  if (config.insecure === true) throw invalid('insecure', 'is not supported: the token would be sent to whoever answers')
  return {
    origin: originOf(config.endpoint ?? 'https://api.digitalocean.com'),
    token: tokenOf(config.metadata ?? {}, secrets),
    timeoutMs: config.timeout_ms ?? 30_000,
  }
}

function originOf(endpoint: string): string {
  if (!URL.canParse(endpoint)) throw invalid('endpoint', `is no URL: ${endpoint}`)
  const { protocol, hostname, origin, username, pathname, search } = new URL(endpoint)
  const local = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  if (protocol !== 'https:' && !(protocol === 'http:' && local)) {
    throw invalid('endpoint', 'must be https: the token must not cross a network in the open')
  }
  if (username !== '' || search !== '' || !['/', '/v2', '/v2/'].includes(pathname)) {
    throw invalid('endpoint', "must be the API's origin only, such as https://api.digitalocean.com")
  }
  return origin
}

function tokenOf({ token, token_secret: secret }: Readonly<Record<string, unknown>>, secrets: Secrets): () => Promise<string> {
  if (typeof secret === 'string' && secret !== '' && token === undefined) return () => secrets.get(secret)
  if (typeof token !== 'string' || token === '') throw invalid('metadata.token', 'is missing')
  if (!/^[\w.~+/=-]+$/.test(token)) throw invalid('metadata.token', 'holds characters that no token has')
  return () => Promise.resolve(token)
}

function invalid(setting: string, problem: string): Error {
  return digitalOceanErrors.error('DIGITALOCEAN_SETTING_INVALID', { setting, problem })
}
