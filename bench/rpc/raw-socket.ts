import type { Socket } from 'node:net'
import type { Contestant } from './contest.ts'

type Call = readonly [id: number, value: unknown]

/** The floor: length-prefixed JSON arrays of calls, one write per tick and direction, nothing checked. */
export function rawBatchedSocket(socket: Socket): Contestant {
  const waiting = new Map<number, (value: unknown) => void>()
  const write = batchWriter(socket)
  let last = 0
  readBatches(socket, (answers) => {
    for (const [id, value] of answers) {
      waiting.get(id)?.(value)
      waiting.delete(id)
    }
  })
  return {
    name: 'raw socket, JSON batched per tick',
    call: (value) =>
      new Promise((resolve) => {
        const id = ++last
        waiting.set(id, resolve)
        write([id, value])
      }),
    close: () => {
      socket.destroy()
    },
  }
}

export function answerRawBatched(socket: Socket): void {
  const write = batchWriter(socket)
  const answer = async ([id, value]: Call): Promise<void> => write([id, await value])
  readBatches(socket, (calls) => {
    for (const call of calls) void answer(call)
  })
}

function batchWriter(socket: Socket): (call: Call) => void {
  let batch: Call[] = []
  const flush = (): void => {
    const text = JSON.stringify(batch)
    batch = []
    const bytes = Buffer.byteLength(text)
    const frame = Buffer.allocUnsafe(4 + bytes)
    frame.writeUInt32BE(bytes)
    frame.write(text, 4)
    socket.write(frame)
  }
  return (call) => {
    if (batch.push(call) === 1) process.nextTick(flush)
  }
}

function readBatches(socket: Socket, take: (calls: readonly Call[]) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const end = 4 + rest.readUInt32BE()
      if (rest.length < end) return
      const text = rest.toString('utf8', 4, end)
      rest = rest.subarray(end)
      take(JSON.parse(text) as Call[])
    }
  })
}

/** The floor of bytes: a length and the bytes there and back. */
export function rawBytesSocket(socket: Socket): Contestant {
  let resolve: (value: unknown) => void = () => {}
  let frame: Buffer | undefined
  let filled = 0
  socket.on('data', (chunk: Buffer) => {
    let at = 0
    if (frame === undefined) {
      frame = Buffer.allocUnsafeSlow(chunk.readUInt32BE())
      filled = 0
      at = 4
    }
    filled += chunk.copy(frame, filled, at)
    if (filled < frame.length) return
    const whole = frame
    frame = undefined
    resolve(whole)
  })
  return {
    name: 'raw socket, length and bytes',
    call: (value) =>
      new Promise((settle) => {
        resolve = settle
        const bytes = value as Uint8Array
        const head = Buffer.allocUnsafe(4)
        head.writeUInt32BE(bytes.byteLength)
        socket.cork()
        socket.write(head)
        socket.write(bytes)
        socket.uncork()
      }),
    close: () => {
      socket.destroy()
    },
  }
}

/** Echoes as it reads: no frame is ever whole here, which is less than any protocol could do. */
export function answerRawBytes(socket: Socket): void {
  socket.on('data', (chunk: Buffer) => socket.write(chunk))
}

const megabyte = 1024 * 1024

/** Asks for as many megabytes as the value says, and counts what arrives. */
export function rawStreamSocket(socket: Socket): Contestant {
  let left = 0
  let resolve: (value: unknown) => void = () => {}
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left === 0) resolve(undefined)
  })
  return {
    name: 'raw socket, bytes as they come',
    call: (count) =>
      new Promise((settle) => {
        left = (count as number) * megabyte
        resolve = settle
        const head = Buffer.allocUnsafe(4)
        head.writeUInt32BE(count as number)
        socket.write(head)
      }),
    close: () => {
      socket.destroy()
    },
  }
}

export function answerRawStream(socket: Socket): void {
  socket.on('data', (chunk: Buffer) => {
    void pour(socket, chunk.readUInt32BE())
  })
}

async function pour(socket: Socket, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    if (!socket.write(new Uint8Array(megabyte))) await new Promise((drained) => socket.once('drain', drained))
  }
}
