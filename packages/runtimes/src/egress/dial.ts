import { connect, type LookupFunction, type Socket } from 'node:net'
import type { Authority } from './authority.ts'
import type { ResolvedAddress } from './vetted-addresses.ts'

/**
 * Connects to one of these addresses of a place, whichever answers first; the name is not looked up again. The caller owns
 * the socket, which may be half open. Errors: the system's, or the signal's reason.
 */
export async function dial(authority: Authority, addresses: readonly ResolvedAddress[], signal: AbortSignal): Promise<Socket> {
  const { host, port } = authority
  const lookup: LookupFunction = (_host, options, done) => {
    const [first] = addresses
    if (options.all === true) done(null, [...addresses])
    else done(null, first?.address ?? '', first?.family)
  }
  signal.throwIfAborted()
  const socket = connect({ host, port, lookup, autoSelectFamily: true, allowHalfOpen: true, noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const abort = (): void => {
    socket.destroy()
    reject(signal.reason as Error)
  }
  signal.addEventListener('abort', abort, { once: true })
  socket.once('error', reject)
  socket.once('connect', () => {
    socket.off('error', reject)
    resolve(socket)
  })
  return promise.finally(() => signal.removeEventListener('abort', abort))
}
