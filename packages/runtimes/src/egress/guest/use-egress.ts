import type { Socket, TcpSocketConnectOpts } from 'node:net'
import { syncBuiltinESMExports } from 'node:module'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { runtimeErrors } from '../../errors.ts'
import type { EgressStart } from '../egress-words.ts'
import { AttachedSocket } from './attached-socket.ts'
import { BrokerLink } from './broker-link.ts'
import { connectThrough } from './tunnel-socket.ts'

type Arguments = readonly unknown[]
type Options = Record<string, unknown>

/**
 * Leads every connection that code in this process makes by `net`, `tls`, and what is built on them, through the broker, by
 * the name that was given. Called before any code of a plugin's is loaded. It is a convenience, not a wall: whoever undoes
 * it is in a process without a network.
 */
export function useEgress({ descriptor, attached }: EgressStart): void {
  const link = new BrokerLink(descriptor)
  routeSockets(link)
  routeTls(link, new Set(attached))
  refuseLookups()
  syncBuiltinESMExports()
}

function routeSockets(link: BrokerLink): void {
  const { Socket: PlainSocket } = process.getBuiltinModule('node:net')
  const direct: unknown = Reflect.get(PlainSocket.prototype, 'connect')
  const routed = function (this: Socket, ...given: Arguments): Socket {
    const [options, listener] = connectArguments(given)
    // Sockets of the file system are nobody's to reach, and a TLS socket's own handle cannot be led elsewhere.
    const isOwn = isGiven(options['path']) || !isGiven(options['port']) || Reflect.get(this, '_handle') !== null
    if (isOwn) return Reflect.apply(direct as () => Socket, this, given)
    if (typeof listener === 'function') this.once('connect', listener as () => void)
    const { text, port } = authorityOf(options)
    connectThrough(this, () => link.open(text, false), port)
    return this
  }
  Object.assign(PlainSocket.prototype, { connect: routed })
}

function routeTls(link: BrokerLink, attached: ReadonlySet<string>): void {
  const tls = process.getBuiltinModule('node:tls')
  const net = process.getBuiltinModule('node:net')
  const direct = tls.connect as (...given: Arguments) => TLSSocket
  const routed = (...given: Arguments): Socket => {
    const [options, listener] = tlsArguments(given)
    if (isGiven(options['socket']) || isGiven(options['path'])) return direct(...given)
    const { text, host, port } = authorityOf(options)
    const once = typeof listener === 'function' ? (listener as () => void) : undefined
    if (attached.has(text.toLowerCase())) {
      const socket = new AttachedSocket((options as ConnectionOptions).servername ?? host)
      if (once !== undefined) socket.once('secureConnect', once)
      connectThrough(socket, () => link.open(text, true), port)
      return withTimeout(socket, options)
    }
    const socket = net.connect({ host, port })
    const secured = direct({ ...options, socket }, once)
    socket.once('error', (error) => secured.destroy(error))
    return withTimeout(secured, options)
  }
  Object.assign(tls, { connect: routed })
}

/** Names are resolved where the connection is made, so whoever asks for addresses first is told to connect by name. */
function refuseLookups(): void {
  const dns = process.getBuiltinModule('node:dns')
  const refused = (name: unknown): Error => runtimeErrors.error('EGRESS_BY_NAME', { name: String(name) })
  const lookup = (name: unknown, ...rest: Arguments): void => {
    const done = rest.at(-1)
    if (typeof done !== 'function') throw new TypeError('lookup needs a callback')
    process.nextTick(() => Reflect.apply(done, undefined, [refused(name)]))
  }
  Object.assign(dns, { lookup })
  Object.assign(dns.promises, { lookup: (name: unknown) => Promise.reject(refused(name)) })
}

/** Node says both ways that an option is not there. */
function isGiven(option: unknown): boolean {
  return option !== undefined && option !== null
}

interface Place {
  readonly text: string
  readonly host: string
  readonly port: number
}

/** Where these options lead, as the broker is asked for it; whether it is a place at all is for the broker to say. */
function authorityOf(options: Options): Place {
  const { host, port } = options as Partial<TcpSocketConnectOpts>
  const name = host === undefined || host === '' ? 'localhost' : host
  const isBare = name.includes(':') && !name.startsWith('[')
  return { text: `${isBare ? `[${name}]` : name}:${port}`, host: name, port: Number(port) }
}

/** `(options)`, `(port, host)`, `(path)`, each with a listener; or what Node has made of them already. */
function connectArguments(given: Arguments): readonly [Options, unknown] {
  const [first, second] = given
  if (Array.isArray(first)) return [first[0] as Options, first[1]]
  const last = given.at(-1)
  const listener = typeof last === 'function' ? last : undefined
  if (typeof first === 'object' && first !== null) return [first as Options, listener]
  if (typeof first === 'string' && !/^\d+$/.test(first)) return [{ path: first }, listener]
  return [{ port: first, ...(typeof second === 'string' ? { host: second } : {}) }, listener]
}

/** As `net`'s, with options also as the second or third argument. */
function tlsArguments(given: Arguments): readonly [Options, unknown] {
  const [options, listener] = connectArguments(given)
  const more = given.slice(1).find((each) => typeof each === 'object' && each !== null)
  return [{ ...options, ...(more as Options | undefined) }, listener]
}

function withTimeout<S extends Socket>(socket: S, { timeout }: Options): S {
  if (typeof timeout === 'number') socket.setTimeout(timeout)
  return socket
}
