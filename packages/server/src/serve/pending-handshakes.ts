import type { Server, Socket } from 'node:net'
import { connectionOf, type Connection } from './connection-cap.ts'

/**
 * Ends connections that have not shaken hands when the server closes: it knows only those that have, and would wait for the
 * others as long as a handshake may take.
 */
export function endPendingHandshakes(server: Server, closing: AbortSignal): void {
  const pending = new Map<Connection, Socket>()
  server.on('connection', (socket: Socket) => {
    const connection = connectionOf(socket)
    pending.set(connection, socket)
    socket.once('close', () => {
      if (pending.get(connection) === socket) pending.delete(connection)
    })
  })
  server.on('secureConnection', (socket: Socket) => pending.delete(connectionOf(socket)))
  closing.addEventListener('abort', () => pending.forEach((socket) => socket.destroy()))
}
