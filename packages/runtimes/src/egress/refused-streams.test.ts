import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echoServer } from '../fixtures/local-servers.ts'
import { connectBlock, connectFrame, frame, preface } from '../fixtures/raw-frames.ts'
import { rawGuest, socketEnds } from '../fixtures/raw-guest.ts'
import { serveEgress } from './broker.ts'

const limits = { connections: 4, requestsPerSecond: 10_000 }

test(
  'a plugin that asks for far more connections than it may have gets those back that it may',
  { timeout: 20_000 },
  async (t) => {
    const server = await echoServer(t)
    const { ask, broken, broker } = await rawGuest(t, [server.authority], { limits })
    for (let round = 0; round < 3; round++) {
      const asked = await Promise.all(Array.from({ length: 300 }, () => ask(server.authority)))
      assert.ok(asked.some(({ status }) => status === 200))
      for (const { stream } of asked) stream.close()
      while (broker.counts().open > 0) await new Promise(setImmediate)
    }
    assert.equal((await ask(server.authority)).status, 200)
    assert.deepEqual(broken, [])
  },
)

test('a plugin that heeds neither settings nor refusals keeps its network', { timeout: 20_000 }, async (t) => {
  const server = await echoServer(t)
  const [host, guest] = await socketEnds(t)
  const broken: string[] = []
  const broker = serveEgress({
    socket: host,
    plugin: 'acme/heedless',
    granted: new Set([server.authority]),
    options: { limits },
    violated: () => undefined,
    used: () => undefined,
    broken: (reason) => void broken.push(reason),
  })
  t.after(() => broker[Symbol.dispose]())
  guest.on('error', () => undefined)
  guest.resume()
  guest.write(preface())
  guest.write(frame({ type: 4, flags: 1 }))
  const block = connectBlock(server.authority)
  for (let at = 0; at < 2_000; at++) {
    guest.write(connectFrame(2 * at + 1, block))
    if (at % 50 === 49) await new Promise(setImmediate)
  }
  while (broker.counts().open < 4 && !guest.destroyed) await new Promise(setImmediate)
  const freed = [1, 3, 5, 7].map((stream) => frame({ type: 3, stream, payload: Buffer.from([0, 0, 0, 8]) }))
  for (const one of freed) guest.write(one)
  while (broker.counts().open > 0 && !guest.destroyed) await new Promise(setImmediate)
  guest.write(connectFrame(4_001, block))
  while (broker.counts().open < 1 && !guest.destroyed) await new Promise(setImmediate)
  assert.deepEqual([guest.destroyed, broken], [false, []])
})
