import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { createSession, socketChannel } from './index.ts'

test('a call over an inherited descriptor is answered', async () => {
  const child = spawn(
    process.execPath,
    ['--conditions=@backplane/source', new URL('./fixtures/echo-child.ts', import.meta.url).pathname],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      env: {},
    },
  )
  const session = createSession(socketChannel(child.stdio[3] as Socket), {
    handler: { call: () => 1, stream: async function* () {} },
  })
  const big = { n: 1, bytes: new Uint8Array(1 << 20).fill(7) }
  assert.deepEqual(await session.call('echo', big), big)
  let items = 0
  for await (const _item of session.stream('count', 1000)) items++
  assert.equal(items, 1000)
  await session[Symbol.asyncDispose]()
  assert.deepEqual(await once(child, 'exit'), [0, null])
})
