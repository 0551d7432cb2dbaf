import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** TLS wraps the socket that came; the two are told to be one by where it came from. */
export type Connection = Socket | string

/** A connection, whichever of its two sockets is given; known by it only until it closes. */
export function connectionOf(socket: Socket): Connection {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`
}

/**
 * Keeps at most `limit` connections of a server open. When one more comes, the one that has been idle longest goes (in
 * no request, or still sending the head of one), so that holding many sockets open keeps nobody out; when all are
 * answering, the newcomer goes.
 */
export function capConnections(server: Server, limit: number): void {
  // In the order they became idle; a connection in a request is only counted.
  const idle = new Map<Connection, Socket>()
  const open = new Map<Connection, Socket>()

  server.on('connection', (socket: Socket) => {
    if (open.size >= limit) {
      const [longest] = idle
      if (longest === undefined) {
        socket.destroy()
        return
      }
      const [connection, longestIdle] = longest
      idle.delete(connection)
      open.delete(connection)
      longestIdle.destroy()
    }
    const connection = connectionOf(socket)
    open.set(connection, socket)
    idle.set(connection, socket)
    socket.once('close', () => {
      // The next one may have come from the same port already.
      if (open.get(connection) !== socket) return
      open.delete(connection)
      idle.delete(connection)
    })
  })
  const busy = (socket: Socket, outgoing: NodeJS.EventEmitter): void => {
    const connection = connectionOf(socket)
    idle.delete(connection)
    outgoing.once('close', () => {
      if (open.has(connection)) idle.set(connection, socket)
    })
  }
  server.on('request', (incoming, outgoing) => busy(incoming.socket, outgoing))
  server.on('checkContinue', (incoming, outgoing) => busy(incoming.socket, outgoing))
}
