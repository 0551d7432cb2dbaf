import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Keeps at most `limit` connections of a server open. When one more comes, the one that has been idle longest goes (in
 * no request, or still sending the head of one), so that holding many sockets open keeps nobody out; when all are
 * answering, the newcomer goes.
 */
export function capConnections(server: Server, limit: number): void {
  // In the order they became idle; a connection in a request is only counted.
  const idle = new Set<Socket>()
  const open = new Set<Socket>()

  server.on('connection', (socket) => {
    if (open.size >= limit) {
      const [longest] = idle
      if (longest === undefined) {
        socket.destroy()
        return
      }
      idle.delete(longest)
      open.delete(longest)
      longest.destroy()
    }
    open.add(socket)
    idle.add(socket)
    socket.once('close', () => {
      open.delete(socket)
      idle.delete(socket)
    })
  })
  const busy = (socket: Socket, outgoing: NodeJS.EventEmitter): void => {
    idle.delete(socket)
    outgoing.once('close', () => {
      if (open.has(socket)) idle.add(socket)
    })
  }
  server.on('request', (incoming, outgoing) => busy(incoming.socket, outgoing))
  server.on('checkContinue', (incoming, outgoing) => busy(incoming.socket, outgoing))
}
