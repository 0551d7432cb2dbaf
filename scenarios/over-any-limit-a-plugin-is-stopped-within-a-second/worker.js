import fs from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'

const point = defineProvider('demo.work', { run: unary(anything, anything) })
const mebibyte = 1024 ** 2
const held = []

/** Writes past the session: into the descriptor of a process, or the port of a thread. */
function batch(text) {
  const port = workerData?.port
  if (port != null) return port.postMessage(text)
  const body = Buffer.from(text)
  const head = Buffer.alloc(12)
  head.writeUInt32BE(8 + body.length, 0)
  head.writeUInt32BE(body.length, 4)
  const frame = Buffer.concat([head, body])
  for (let at = 0; at < frame.length;) {
    try {
      at += fs.writeSync(3, frame, at)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

/** Each goes over one limit and says so at that moment, as far as it can tell itself. */
function excesses(over, directories) {
  const grow = async (limitMiB, step) => {
    for (let at = 0; at < 150; at++) {
      held.push(step())
      if (process.memoryUsage.rss() > limitMiB * mebibyte) over()
      await turn()
    }
    return held.length
  }
  return {
    echo: () => 'well',
    where: () => directories.data,
    heap: async ({ limitMiB }) => {
      for (let at = 0; at < 120; at++) {
        // oxlint-disable-next-line unicorn/no-new-array -- any other way takes many times as long
        held.push(new Array(500_000).fill(at))
        if (process.memoryUsage().heapUsed > 0.9 * limitMiB * mebibyte) over()
        await turn()
      }
      return held.length
    },
    buffers: ({ limitMiB }) => grow(limitMiB, () => Buffer.alloc(8 * mebibyte, 1)),
    wasm: ({ limitMiB }) =>
      grow(limitMiB, () => {
        const memory = new WebAssembly.Memory({ initial: 128 })
        new Uint8Array(memory.buffer).fill(1)
        return memory
      }),
    burn: async ({ forMs }) => {
      const began = performance.now()
      while (performance.now() - began < forMs) {
        for (const until = performance.now() + 20; performance.now() < until;);
        if (performance.now() - began > 1_000) over()
        await turn()
      }
      return 'burnt'
    },
    spin: () => {
      for (;;);
    },
    never: () => new Promise(() => undefined),
    files: async ({ limit, count }) => {
      try {
        for (let at = 1; at <= count; at++) {
          held.push(await open(new URL(import.meta.url), 'r'))
          if (at > limit) over()
        }
      } catch (error) {
        return error.code
      }
      return new Promise(() => undefined)
    },
    data: async ({ limitMiB, megabytes }) => {
      for (let at = 1; at <= megabytes; at++) {
        await writeFile(`${directories.data}/${at}`, Buffer.alloc(mebibyte, 1))
        if (at > limitMiB) over()
      }
      return new Promise(() => undefined)
    },
    names: async ({ limit, count }) => {
      for (let at = 1; at <= count; at++) {
        await writeFile(`${directories.data}/${at}`, '')
        if (at > limit) over()
      }
      return new Promise(() => undefined)
    },
    large: ({ bytes }) => 'x'.repeat(bytes),
    flood: ({ forMs }) => {
      const line = { level: 'info', message: 'm', fields: { rows: Array.from({ length: 60_000 }, (_, row) => ({ row })) } }
      const text = JSON.stringify([['notice', 'log', line]])
      // Without a pause, in which the session could write into the middle of it.
      for (const until = performance.now() + forMs; performance.now() < until;) batch(text)
      return 'flooded'
    },
  }
}

export default definePlugin((scope) => {
  let isOver = false
  const over = () => {
    if (!isOver) scope.log.info('over')
    isOver = true
  }
  const doing = excesses(over, scope.directories)
  scope.provide(point, scope.plugin.id.split('/')[1], { run: async ({ what, ...given }) => doing[what](given) })
})
