import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { Socket } from 'node:net'
import { PlatformError } from '@backplane/sdk'
import { runtimeErrors } from '../../errors.ts'
import { attachedHeader, errorHeader, windowBytes } from '../egress-words.ts'

/** The guest's way to its broker, opened when it is first used: loading HTTP/2 takes some milliseconds. */
export class BrokerLink {
  readonly #descriptor: number
  #session: ClientHttp2Session | undefined

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** Asks for a connection. Errors, by the stream or thrown: `EGRESS_CLOSED`; a refusal is a response, see {@link refusal}. */
  open(authority: string, attached: boolean): ClientHttp2Stream {
    this.#session ??= this.#connect()
    const session = this.#session
    if (session.destroyed || session.closed) throw runtimeErrors.error('EGRESS_CLOSED')
    // What HTTP/2 would not carry is refused all the same, so it need only be told.
    const sendable = /^[\w.:[\]-]+$/.test(authority) ? authority : `%${encodeURIComponent(authority.toWellFormed())}`
    return session.request(
      { ':method': 'CONNECT', ':authority': sendable, ...(attached ? { [attachedHeader]: '1' } : {}) },
      { endStream: false },
    )
  }

  #connect(): ClientHttp2Session {
    const http2 = process.getBuiltinModule('node:http2')
    const session = http2.connect('http://egress', {
      createConnection: () => new Socket({ fd: this.#descriptor, readable: true, writable: true }),
      settings: { enablePush: false, initialWindowSize: windowBytes },
    })
    // Every connection through it is told by its own stream.
    session.on('error', () => undefined)
    session.unref()
    return session
  }
}

/** Why the broker refused, in the words of the host; the system's errors as the system has them. */
export function refusal(headers: Readonly<Record<string, unknown>>): Error | undefined {
  if (headers[':status'] === 200) return undefined
  try {
    const json = JSON.parse(decodeURIComponent(String(headers[errorHeader]))) as { code: string; message: string }
    if (Object.hasOwn(runtimeErrors.specs, json.code)) return PlatformError.fromJSON(json)
    return Object.assign(new Error(json.message), { code: json.code, syscall: 'connect' })
  } catch {
    return runtimeErrors.error('EGRESS_CLOSED')
  }
}
