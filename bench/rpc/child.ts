import { Socket } from 'node:net'
import { createSession, descriptorChannel } from '@backplane/rpc'
import { answerRawBatched, answerRawBytes } from './raw-socket.ts'

/** Answers on fd 3 as the first argument says; `ipc` on node's own channel. */
const socket = (): Socket => new Socket({ fd: 3, readable: true, writable: true })
const answer: Record<string, () => void> = {
  session: () => {
    createSession(descriptorChannel(3), { handler: { call: async (_target, value) => value, stream: async function* () {} } })
  },
  rawBatched: () => answerRawBatched(socket()),
  rawBytes: () => answerRawBytes(socket()),
  ipc: () => {
    const reply = async ({ id, value }: { id: number; value: unknown }): Promise<void> => {
      process.send?.({ id, value: await value })
    }
    process.on('message', (message: { id: number; value: unknown }) => void reply(message))
  },
}
answer[process.argv[2] ?? '']?.()
