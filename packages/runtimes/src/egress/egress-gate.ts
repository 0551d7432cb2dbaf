import type { HostLink, NetworkUse } from '@backplane/kernel'
import { RateGate } from '@backplane/rpc'
import type { PlatformError } from '@backplane/sdk'
import type { Socket } from 'node:net'
import { runtimeErrors } from '../errors.ts'
import { parseAuthority, type Authority } from './authority.ts'
import { dial } from './dial.ts'
import { defaultEgressLimits, type EgressLimits, type EgressOptions } from './egress-options.ts'
import { Lookups } from './lookups.ts'
import { systemNames } from './system-names.ts'
import { vettedAddresses } from './vetted-addresses.ts'

/** Whose gate it is. */
export interface EgressGateOptions {
  readonly plugin: string
  /** Where it may go, as {@link Authority.text}. */
  readonly granted: ReadonlySet<string>
  readonly options: EgressOptions
  readonly violated: HostLink['violated']
  readonly used: HostLink['used']
}

/** Refusals told per second, and at once: a plugin must not fill its host's records. */
const toldPerSecond = 10
const toldAtOnce = 100
/** Of what a plugin asked for, characters that are repeated to others. */
const longestShown = 200

/** Opens connections of one plugin to where it was granted. Dispose it to end them all. */
export class EgressGate implements Disposable {
  readonly limits: EgressLimits
  readonly #options: EgressGateOptions
  readonly #told = new RateGate(toldPerSecond, toldAtOnce)
  readonly #open = new Set<Socket>()
  readonly #lookups: Lookups
  /** Connections that are being made. */
  readonly #attempts = new Set<AbortController>()
  #connections = 0
  #refused = 0
  #receivedBytes = 0
  #sentBytes = 0

  constructor(options: EgressGateOptions) {
    this.#options = options
    this.limits = { ...defaultEgressLimits, ...options.options.limits }
    this.#lookups = new Lookups(options.options.resolve ?? systemNames(), this.limits)
  }

  counts(): NetworkUse {
    const open = [...this.#open]
    return {
      connections: this.#connections,
      open: open.length,
      refused: this.#refused,
      receivedBytes: open.reduce((sum, { bytesRead }) => sum + bytesRead, this.#receivedBytes),
      sentBytes: open.reduce((sum, { bytesWritten }) => sum + bytesWritten, this.#sentBytes),
    }
  }

  /** The granted place of that name. Errors: `EGRESS_DENIED`. */
  granted(given: string): Authority {
    const authority = parseAuthority(given)
    if (authority === undefined) throw this.#refuse(given, 'is not host:port in its one exact spelling')
    if (!this.#options.granted.has(authority.text)) throw this.#refuse(authority.text, 'is not granted')
    this.#options.used({ verb: 'net:connect', what: authority.text, by: 'host' })
    return authority
  }

  /**
   * Connects to a granted place; the gate ends the socket when the plugin ends, and when it is idle too long. The time
   * for it, and `signal`, are those of `finish` too, which makes of the new socket what is wanted.
   * Errors: `EGRESS_DENIED`, `EGRESS_BUSY`, the system's, those of `finish`; aborting is `signal`'s.
   */
  async connect<S extends Socket>(authority: Authority, signal: AbortSignal, finish: (socket: Socket) => Promise<S>): Promise<S> {
    const { connections, connectMs } = this.limits
    if (this.#open.size + this.#attempts.size >= connections) {
      const { plugin } = this.#options
      throw runtimeErrors.error('EGRESS_BUSY', { plugin, connections }, { plugin })
    }
    const attempt = new AbortController()
    const leave = (): void => attempt.abort(signal.reason)
    const timer = setTimeout(() => attempt.abort(timedOut(authority, connectMs)), connectMs)
    signal.addEventListener('abort', leave)
    this.#attempts.add(attempt)
    let socket: Socket | undefined
    try {
      socket = await this.#dial(authority, attempt.signal)
      this.#keep(socket)
      this.#attempts.delete(attempt)
      return await unlessAborted(finish(socket), attempt.signal)
    } catch (error) {
      socket?.destroy()
      throw error
    } finally {
      this.#attempts.delete(attempt)
      signal.removeEventListener('abort', leave)
      clearTimeout(timer)
    }
  }

  [Symbol.dispose](): void {
    for (const attempt of this.#attempts) attempt.abort(new DOMException('the plugin has ended', 'AbortError'))
    for (const socket of this.#open) socket.destroy()
    this.#lookups[Symbol.dispose]()
  }

  async #dial(authority: Authority, signal: AbortSignal): Promise<Socket> {
    const { plugin, options } = this.#options
    const allowPrivate = options.allowPrivate?.({ plugin, authority: authority.text }) === true
    const vetting = vettedAddresses(authority, { resolve: (host) => this.#lookups.ask(host, signal), allowPrivate })
    const vetted = await unlessAborted(vetting, signal)
    if (!vetted.allowed) throw this.#refuse(authority.text, `leads nowhere: ${vetted.reason}`)
    return dial(authority, vetted.addresses, signal)
  }

  #keep(socket: Socket): void {
    this.#connections += 1
    this.#open.add(socket)
    socket.on('error', () => undefined)
    socket.setTimeout(this.limits.idleMs, () => socket.destroy(coded('ETIMEDOUT', 'the connection was idle too long')))
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#receivedBytes += socket.bytesRead
      this.#sentBytes += socket.bytesWritten
    })
  }

  #refuse(given: string, reason: string): PlatformError {
    const { plugin, violated } = this.#options
    this.#refused += 1
    const permission = `net:connect ${shown(given)}`
    if (this.#told.take(1)) violated({ kind: 'grant', permission, detail: `${shown(given)} ${reason}` })
    return runtimeErrors.error('EGRESS_DENIED', { plugin, authority: shown(given), reason }, { plugin, details: { permission } })
  }
}

/** That answer, or why nobody waits for it any more. */
async function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason as Error)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([answer, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function timedOut({ text }: Authority, connectMs: number): Error {
  return coded('ETIMEDOUT', `connect ETIMEDOUT ${text} within ${connectMs} ms`)
}

/** As the system's own errors look. */
function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

/** Printable, and not longer than it is of use. */
function shown(given: string): string {
  const printable = given.replaceAll(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character.toWellFormed()))
  return printable.length > longestShown ? `${printable.slice(0, longestShown)}…` : printable
}
