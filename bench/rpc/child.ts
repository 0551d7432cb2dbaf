import { Socket } from 'node:net'
import { createSession, descriptorChannel } from '@backplane/rpc'
import { answerRawBatched, answerRawBytes, answerRawStream } from './raw-socket.ts'

async function* megabytes(_target: string, count: unknown): AsyncIterable<Uint8Array> {
  for (let at = 0; at < (count as number); at++) yield new Uint8Array(1024 * 1024)
}

/** Answers on fd 3 as the first argument says; `ipc` on node's own channel. */
const socket = (): Socket => new Socket({ fd: 3, readable: true, writable: true })
const answer: Record<string, () => void> = {
  // as the guests of a host do
  session: () => {
    createSession(descriptorChannel(3), {
      handler: { call: async (_target, value) => value, stream: megabytes },
      trustsPeer: true,
    })
  },
  rawBatched: () => answerRawBatched(socket()),
  rawBytes: () => answerRawBytes(socket()),
  rawStream: () => answerRawStream(socket()),
  ipc: () => {
    const reply = async ({ id, value }: { id: number; value: unknown }): Promise<void> => {
      process.send?.({ id, value: await value })
    }
    process.on('message', (message: { id: number; value: unknown }) => void reply(message))
  },
}
answer[process.argv[2] ?? '']?.()
