import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import { PlatformError } from '@backplane/sdk'
import { sourceErrors } from '../errors.ts'
import { messageOf } from '../message-of.ts'
import { authorizationOf } from './authorization.ts'
import { dialledAddresses, lookupIn, systemResolve, type NamedAddress, type Resolve } from './dialled-addresses.ts'
import { defaultDownloadLimits, type DownloadLimits } from './download-limits.ts'
import { checkAllowed, isAtHome, refused, shownUrl, type Credential, type FetchHome } from './fetch-home.ts'
import type { FetchOptions } from './fetcher.ts'

/** How a fetcher downloads. */
export interface Downloading {
  readonly limits?: Partial<DownloadLimits>
  /** Tells the addresses of a name. Default: the system. */
  readonly resolve?: Resolve
}

/** What is asked for. */
export interface Wanted {
  readonly url: URL
  /** More is refused: before it is read where it is announced, else as soon as it has come. */
  readonly mostBytes: number
  /** `json` must call itself that, an `archive` must not call itself a text; `any` is checked by what it is. */
  readonly type: 'json' | 'archive' | 'any'
  /** Media types, for servers that have several forms of one thing. */
  readonly accept?: string
}

/** What came. */
export interface Downloaded {
  readonly bytes: Uint8Array
  readonly headers: IncomingMessage['headers']
}

/**
 * Downloads from a named place and from nowhere else. Each place on the way, the first as well as those that redirects lead
 * to, must be one the options name, over https, at an address {@link dialledAddresses} allows, and what was judged is what is
 * dialled. Credentials go to the home's own origin. Nothing is decoded: an answer in an encoding nobody asked for is refused. Errors:
 * `FETCH_ADDRESS_REFUSED`, `FETCH_UNREACHABLE`, `FETCH_DENIED`, `FETCH_NOT_FOUND`, `FETCH_RESPONSE_INVALID`,
 * `FETCH_TOO_LARGE`. Source: SECURITY 8.2.7.
 */
export async function guardedDownload(
  home: FetchHome,
  wanted: Wanted,
  options: FetchOptions,
  downloading: Downloading = {},
): Promise<Downloaded> {
  const limits = { ...defaultDownloadLimits, ...downloading.limits }
  const deadline = AbortSignal.timeout(limits.timeoutMs)
  const signal = AbortSignal.any([options.signal, deadline])
  const asking: Asking = { home, wanted, limits, signal, options, resolve: downloading.resolve ?? systemResolve }
  const stopped = Promise.withResolvers<never>()
  const stop = (): void => stopped.reject(signal.reason)
  signal.addEventListener('abort', stop)
  try {
    signal.throwIfAborted()
    // who resolves names and who has credentials may not look at the signal
    return await Promise.race([attempts(asking), stopped.promise])
  } catch (error) {
    options.signal.throwIfAborted()
    if (deadline.aborted) throw unreachable(wanted.url, `it was not done within ${limits.timeoutMs / 1_000} s`, error)
    throw error
  } finally {
    // else what came stays in memory until the deadline
    signal.removeEventListener('abort', stop)
  }
}

async function attempts(asking: Asking): Promise<Downloaded> {
  const { wanted, limits, signal } = asking
  for (const delayMs of limits.retryDelaysMs) {
    const answer = await follow(asking)
    if (answer.kind === 'done') return answer.downloaded
    await wait(delayMs, undefined, { signal })
  }
  const answer = await follow(asking)
  if (answer.kind === 'done') return answer.downloaded
  throw unreachable(wanted.url, `it answers ${answer.status}`)
}

interface Asking {
  readonly home: FetchHome
  readonly wanted: Wanted
  readonly limits: DownloadLimits
  readonly signal: AbortSignal
  readonly options: FetchOptions
  readonly resolve: Resolve
}

type Answer =
  | { readonly kind: 'done'; readonly downloaded: Downloaded }
  /** It may be better soon. */
  | { readonly kind: 'broken'; readonly status: number }

async function follow(asking: Asking): Promise<Answer> {
  const { home, wanted, limits, resolve } = asking
  let { url } = wanted
  for (let hops = 0; hops <= limits.redirects; hops += 1) {
    checkAllowed(url, home)
    const addresses = await dialledAddresses(url, home, resolve)
    const response = await ask(url, addresses, await headersFor(url, asking), asking)
    try {
      const { statusCode: status = 0 } = response
      if (status === 200) return { kind: 'done', downloaded: await taken(url, response, asking) }
      if (status >= 500) return { kind: 'broken', status }
      url = nextPlace(url, status, response)
    } finally {
      response.destroy()
    }
  }
  throw invalid(wanted.url, `it leads on more than ${limits.redirects} times`)
}

async function headersFor(url: URL, { home, wanted, signal }: Asking): Promise<Readonly<Record<string, string>>> {
  const { accept = '*/*' } = wanted
  const plain = { accept, 'accept-encoding': 'identity', 'user-agent': 'backplane' }
  if (!isAtHome(url, home)) return plain
  const credential = await credentialOf(home, signal)
  if (credential === undefined) return plain
  return { ...plain, authorization: authorizationOf(credential, shownUrl(url)) }
}

/** What its lender throws with a code goes on; anything else might quote what it is about. */
async function credentialOf(home: FetchHome, signal: AbortSignal): Promise<Credential | undefined> {
  try {
    return await home.credential?.(signal)
  } catch (error) {
    if (error instanceof PlatformError || signal.aborted) throw error
    const reason = 'the credential for it cannot be had'
    throw sourceErrors.error('FETCH_DENIED', { place: shownUrl(home.url), reason })
  }
}

function ask(
  url: URL,
  addresses: readonly NamedAddress[],
  headers: Readonly<Record<string, string>>,
  { limits, signal }: Asking,
): Promise<IncomingMessage> {
  const lookup = lookupIn(addresses)
  return new Promise((resolve, reject) => {
    const begin = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = begin(url, { headers, lookup, signal, agent: false, timeout: limits.idleMs })
    request.on('timeout', () => request.destroy(new Error(`nothing came for ${limits.idleMs / 1_000} s`)))
    request.on('response', resolve)
    request.on('close', () => reject(unreachable(url, 'it closed the connection without an answer')))
    request.on('error', (error) => reject(signal.aborted ? error : unreachable(url, reasonOf(error), error)))
    request.end()
  })
}

/** Beside the errors: what a server writes there may hold anything, and is for nobody to read who is told of the error. */
const challenges = new WeakMap<object, string | undefined>()

/** What a server wants to be shown, of the `FETCH_DENIED` that came of its answer. */
export function challengeOf(denied: PlatformError): string | undefined {
  return challenges.get(denied)
}

/** Where an answer that is not the thing itself leads. */
function nextPlace(url: URL, status: number, { headers }: IncomingMessage): URL {
  const place = shownUrl(url)
  if (status === 401 || status === 403) {
    const denied = sourceErrors.error('FETCH_DENIED', { place, reason: `it answers ${status}` }, { details: { status } })
    challenges.set(denied, headers['www-authenticate'])
    throw denied
  }
  if (status === 404 || status === 410) {
    throw sourceErrors.error('FETCH_NOT_FOUND', { reference: place, reason: `it answers ${status}` })
  }
  if (status === 429) throw unreachable(url, 'it answers 429: asked too often')
  const { location } = headers
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) throw invalid(url, `it answers ${status}`)
  if (!URL.canParse(location, url)) throw invalid(url, 'it leads to what is no address')
  const next = new URL(location, url)
  if (url.protocol === 'https:' && next.protocol === 'http:') {
    throw refused(shownUrl(next), `${url.host} leads there, from https: to http:`)
  }
  return next
}

async function taken(url: URL, response: IncomingMessage, asking: Asking): Promise<Downloaded> {
  const { wanted, options, signal } = asking
  const { headers } = response
  checkHeaders(url, headers, wanted)
  const announced = Number(headers['content-length'] ?? Number.NaN)
  if (announced > wanted.mostBytes) throw tooLarge(url, wanted)
  let bytes = Buffer.alloc(0)
  let done = 0
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      if (done + piece.length > wanted.mostBytes) throw tooLarge(url, wanted)
      bytes = withRoomFor(done + piece.length, bytes, wanted.mostBytes)
      bytes.set(piece, done)
      done += piece.length
      options.onProgress?.({ done, ...(Number.isNaN(announced) ? {} : { total: announced }) })
    }
  } catch (error) {
    if (error instanceof PlatformError || signal.aborted) throw error
    throw unreachable(url, reasonOf(error), error)
  }
  return { bytes: bytes.subarray(0, done), headers }
}

/** One buffer that grows: a list of pieces would take what it likes, were they of one byte each. */
function withRoomFor(length: number, bytes: Buffer<ArrayBuffer>, mostBytes: number): Buffer<ArrayBuffer> {
  if (length <= bytes.length) return bytes
  const grown = Buffer.allocUnsafeSlow(Math.min(mostBytes, Math.max(65_536, 2 * bytes.length, length)))
  grown.set(bytes)
  return grown
}

function checkHeaders(url: URL, headers: IncomingMessage['headers'], { type }: Wanted): void {
  const { 'content-encoding': encoding = 'identity', 'content-type': said = '' } = headers
  if (encoding !== 'identity') throw invalid(url, `it is encoded as ${shortly(encoding)}, which was not asked for`)
  const isText = /^\s*(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|xml)\b)/i.test(said)
  const isJson = /^\s*application\/(?:[\w.+-]*\+)?json\b/i.test(said)
  if (type === 'json' && !isJson) throw invalid(url, `it calls itself ${shortly(said)}, not JSON`)
  if (type === 'archive' && isText) throw invalid(url, `it calls itself ${shortly(said)}, not an archive`)
}

function shortly(text: string): string {
  return text === '' ? 'nothing' : text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 60)
}

/** What Node says, without what a server sent. */
function reasonOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (typeof code === 'string' && code.startsWith('HPE_')) return `its answer is no HTTP (${code})`
  if (code === 'ECONNRESET') return 'it closed the connection before it was done'
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return messageOf(error)
}

function unreachable(url: URL, reason: string, cause?: unknown): PlatformError {
  return sourceErrors.error('FETCH_UNREACHABLE', { place: shownUrl(url), reason }, { cause })
}

function invalid(url: URL, problem: string): PlatformError {
  return sourceErrors.error('FETCH_RESPONSE_INVALID', { place: shownUrl(url), problem })
}

function tooLarge(url: URL, { mostBytes }: Wanted): PlatformError {
  return sourceErrors.error('FETCH_TOO_LARGE', { place: shownUrl(url), limit: `${mostBytes} bytes` })
}
