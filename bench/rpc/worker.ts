import { parentPort, type MessagePort } from 'node:worker_threads'
import { createSession, portChannel } from '@backplane/rpc'
import { createBirpc } from 'birpc'
import { newMessagePortRpcSession, RpcTarget } from 'capnweb'
import { expose } from 'comlink'
import { answerRaw, answerRawBatched, answerRawJson } from './raw-port.ts'

class Echo extends RpcTarget {
  echo(value: unknown): unknown {
    return value
  }
}

const answer: Record<string, (port: MessagePort) => void> = {
  raw: answerRaw,
  rawBatched: answerRawBatched,
  rawJson: answerRawJson,
  // as the guests of a host do
  backplane: (port) => {
    const handler = { call: async (_target: string, value: unknown) => value, stream: async function* () {} }
    createSession(portChannel(port), { handler, trustsPeer: true })
  },
  birpc: (port) => {
    createBirpc(
      { echo: async (value: unknown) => value },
      { post: (data) => port.postMessage(data), on: (take) => port.on('message', take) },
    )
  },
  comlink: (port) => {
    expose({ echo: async (value: unknown) => value }, port)
    port.start()
  },
  capnweb: (port) => {
    newMessagePortRpcSession(port as never, new Echo())
  },
}

parentPort?.on('message', ({ name, port }: { name: string; port: MessagePort }) => answer[name]?.(port))
