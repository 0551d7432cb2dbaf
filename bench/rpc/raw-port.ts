import type { MessagePort } from 'node:worker_threads'
import type { Contestant } from './contest.ts'

type Call = readonly [id: number, value: unknown]

/** The floor: arrays of calls, one postMessage per tick and direction, nothing checked. */
export function rawBatchedPort(port: MessagePort): Contestant {
  const waiting = new Map<number, (value: unknown) => void>()
  let batch: Call[] = []
  let last = 0
  const flush = (): void => {
    const full = batch
    batch = []
    port.postMessage(full)
  }
  port.on('message', (answers: Call[]) => {
    for (const [id, value] of answers) {
      waiting.get(id)?.(value)
      waiting.delete(id)
    }
  })
  return {
    name: 'raw MessagePort, batched per tick',
    call: (value) =>
      new Promise((resolve) => {
        const id = ++last
        waiting.set(id, resolve)
        if (batch.push([id, value]) === 1) process.nextTick(flush)
      }),
    close: () => port.close(),
  }
}

export function answerRawBatched(port: MessagePort): void {
  let batch: Call[] = []
  const flush = (): void => {
    const full = batch
    batch = []
    port.postMessage(full)
  }
  const answer = async ([id, value]: Call): Promise<void> => {
    const result = await value
    if (batch.push([id, result]) === 1) process.nextTick(flush)
  }
  port.on('message', (calls: Call[]) => {
    for (const call of calls) void answer(call)
  })
}

/** The same as one JSON text per tick. */
export function rawJsonPort(port: MessagePort): Contestant {
  const waiting = new Map<number, (value: unknown) => void>()
  let batch: Call[] = []
  let last = 0
  const flush = (): void => {
    const full = batch
    batch = []
    port.postMessage(JSON.stringify(full))
  }
  port.on('message', (answers: string) => {
    for (const [id, value] of JSON.parse(answers) as Call[]) {
      waiting.get(id)?.(value)
      waiting.delete(id)
    }
  })
  return {
    name: 'raw MessagePort, JSON text per tick',
    call: (value) =>
      new Promise((resolve) => {
        const id = ++last
        waiting.set(id, resolve)
        if (batch.push([id, value]) === 1) process.nextTick(flush)
      }),
    close: () => port.close(),
  }
}

export function answerRawJson(port: MessagePort): void {
  let batch: Call[] = []
  const flush = (): void => {
    const full = batch
    batch = []
    port.postMessage(JSON.stringify(full))
  }
  const answer = async ([id, value]: Call): Promise<void> => {
    const result = await value
    if (batch.push([id, result]) === 1) process.nextTick(flush)
  }
  port.on('message', (calls: string) => {
    for (const call of JSON.parse(calls) as Call[]) void answer(call)
  })
}

/** The floor of one call: one postMessage there and one back; bytes go by transfer list. */
export function rawPort(port: MessagePort): Contestant {
  let resolve: (value: unknown) => void = () => {}
  port.on('message', (value: unknown) => resolve(value))
  return {
    name: 'raw MessagePort, one message a call',
    call: (value) =>
      new Promise((settle) => {
        resolve = settle
        post(port, value)
      }),
    close: () => port.close(),
  }
}

export function answerRaw(port: MessagePort): void {
  port.on('message', (value: unknown) => post(port, value))
}

function post(port: MessagePort, value: unknown): void {
  if (value instanceof Uint8Array) port.postMessage(value, [value.buffer as ArrayBuffer])
  else port.postMessage(value)
}
