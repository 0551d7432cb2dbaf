import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { createSession, portChannel } from './index.ts'

test('a call over a port is answered', async () => {
  const { port1, port2 } = new MessageChannel()
  await using near = createSession(portChannel(port1), { handler: { call: () => 1, stream: async function* () {} } })
  await using _far = createSession(portChannel(port2), {
    handler: {
      call: async (_target, value) => value,
      stream: async function* (_target, value) {
        for (let at = 0; at < (value as number); at++) yield { at, data: new Uint8Array([at]) }
      },
    },
  })
  assert.deepEqual(await near.call('x', { a: 1, b: new Uint8Array(3) }), { a: 1, b: new Uint8Array(3) })
  const seen: unknown[] = []
  for await (const item of near.stream('s', 100)) seen.push(item)
  assert.equal(seen.length, 100)
  await near.ping(1000)
})
