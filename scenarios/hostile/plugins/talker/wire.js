import fs from 'node:fs'
import { workerData } from 'node:worker_threads'

/** Writes past the session: into the descriptor of a process, or the port of a thread. */
const port = workerData?.port

function raw(bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(3, bytes, at)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

/** One batch with this control text. */
function batch(text) {
  if (port != null) return port.postMessage(text)
  const body = Buffer.from(text)
  const head = Buffer.alloc(12)
  head.writeUInt32BE(8 + body.length, 0)
  head.writeUInt32BE(body.length, 4)
  raw(Buffer.concat([head, body]))
}

const forever = () => new Promise(() => {})

export const wire = {
  garbage: () => {
    if (port != null) port.postMessage({ not: 'a batch', at: [1, 2, 3] })
    else raw(Buffer.from('\xff\xfe{"this is": not a frame at all, but long enough to look like a head', 'latin1'))
    return forever()
  },
  hugeLength: () => {
    const head = Buffer.alloc(12)
    head.writeUInt32BE(0x7fff_ffff, 0)
    head.writeUInt32BE(0x7fff_fff7, 4)
    raw(head)
    return forever()
  },
  deepText: () => {
    batch(`[["result",1,${'['.repeat(200_000)}${']'.repeat(200_000)}]]`)
    return forever()
  },
  brackets: () => {
    batch('['.repeat(900_000))
    return forever()
  },
  unknownIds: () => {
    for (let at = 0; at < 200; at++) {
      batch(`[${Array.from({ length: 1_000 }, (_, more) => `["result",${1e9 + at * 1_000 + more},1]`).join(',')}]`)
    }
    return forever()
  },
  duplicate: () => {
    batch('[["result",1,"once more"],["result",1,"and again"]]')
    return forever()
  },
  /** As many messages as go through, of those that have no answer. */
  flood: async ({ forMs, kind }) => {
    const text = {
      lines: `[["notice","log",{"level":"info","message":${JSON.stringify('x'.repeat(900_000))}}]]`,
      notices: `[${'["notice","nothing"],'.repeat(40_000)}["notice","nothing"]]`,
      nested: `[["notice","log",{"level":"info","message":"m","fields":${'['.repeat(30)}${'{"a":1},'.repeat(100_000)}1${']'.repeat(30)}}]]`,
    }[kind]
    const until = performance.now() + forMs
    let sent = 0
    for (; performance.now() < until; sent++) {
      batch(text)
      if (port != null) await new Promise(setImmediate)
    }
    return sent
  },
  hugeText: ({ megabytes }) => {
    batch(`[["notice","log",${JSON.stringify('x'.repeat(megabytes * 1024 ** 2))}]]`)
    return forever()
  },
  hugeResult: ({ megabytes }) => 'z'.repeat(megabytes * 1024 ** 2),
}
