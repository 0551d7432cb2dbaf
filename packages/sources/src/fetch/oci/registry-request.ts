import { request as requestHttp, type IncomingHttpHeaders } from 'node:http'
import { request as requestHttps } from 'node:https'
import { PlatformError } from '@backplane/sdk'
import { sourceErrors } from '../../errors.ts'
import { messageOf } from '../../message-of.ts'
import { authorizationOf } from '../authorization.ts'
import { dialledAddresses, lookupIn, systemResolve, type NamedAddress } from '../dialled-addresses.ts'
import { checkAllowed, isAtHome, shownUrl, type Credential, type FetchHome } from '../fetch-home.ts'
import { defaultDownloadLimits } from '../download-limits.ts'
import type { Downloading } from '../guarded-download.ts'

/** Something that is asked of a registry to change it. */
export interface RegistryRequest {
  readonly method: 'HEAD' | 'POST' | 'PUT'
  readonly url: URL
  readonly type?: string
  readonly body?: Uint8Array
  readonly credential?: Credential
}

/** What it answered; what it says of an error is not read. */
export interface RegistryAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/**
 * One request to a place the options name, at an address that may be dialled; leads nowhere else. Errors:
 * `FETCH_ADDRESS_REFUSED`, `FETCH_UNREACHABLE`. Source: SECURITY 8.2.7.
 */
export async function requestOfRegistry(
  home: FetchHome,
  wanted: RegistryRequest,
  signal: AbortSignal,
  { limits, resolve = systemResolve }: Downloading = {},
): Promise<RegistryAnswer> {
  const { url } = wanted
  const { timeoutMs } = { ...defaultDownloadLimits, ...limits }
  checkAllowed(url, home)
  const addresses = await dialledAddresses(url, home, resolve)
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    return await send(wanted, addresses, isAtHome(url, home) ? wanted.credential : undefined, until)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof PlatformError) throw error
    const reason = until.aborted ? `it was not done within ${timeoutMs / 1000} s` : messageOf(error)
    throw sourceErrors.error('FETCH_UNREACHABLE', { place: shownUrl(url), reason }, { cause: error })
  }
}

function send(
  { method, url, type, body }: RegistryRequest,
  addresses: readonly NamedAddress[],
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  const headers = {
    'user-agent': 'backplane',
    ...(method === 'HEAD' ? {} : { 'content-length': String(body?.length ?? 0) }),
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(credential === undefined ? {} : { authorization: authorizationOf(credential, shownUrl(url)) }),
  }
  return new Promise((resolve, reject) => {
    const begin = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = begin(
      url,
      {
        method,
        headers,
        signal,
        agent: false,
        lookup: lookupIn(addresses),
      },
      (response) => {
        response.resume()
        response.on('error', reject)
        response.on('close', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}
