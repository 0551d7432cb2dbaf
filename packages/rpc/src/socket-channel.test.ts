import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { closed, handlerOf, hello, until } from './fixtures/ends.ts'
import { encodeFrame, FrameReader } from './frame.ts'
import { createSession, descriptorChannel, releaseBytes, socketChannel, socketPair, type Channel } from './index.ts'

const mib = 1024 * 1024
const script = new URL('./fixtures/echo-child.ts', import.meta.url).pathname

interface Started {
  readonly child: ChildProcess
  readonly channel: Channel
}

const ways: Readonly<Record<string, () => Promise<Started>>> = {
  'a pipe slot': async () => {
    const child = spawnWith('pipe')
    return { child, channel: socketChannel(child.stdio[3] as Socket) }
  },
  'a socket pair': async () => {
    const { channel, far } = await socketPair()
    const child = spawnWith(far)
    far.destroy()
    return { child, channel }
  },
}

function spawnWith(slot: 'pipe' | Socket): ChildProcess {
  return spawn(process.execPath, ['--conditions=@backplane/source', script], {
    stdio: ['ignore', 'inherit', 'inherit', slot],
    env: {},
  })
}

for (const [way, start] of Object.entries(ways)) {
  test(`a child is called, and ends in order, over ${way}`, async () => {
    const { child, channel } = await start()
    const session = createSession(channel, { handler: handlerOf() })
    const large = { n: 1, bytes: new Uint8Array(3 * mib).fill(7), none: new Uint8Array(0) }
    assert.deepEqual(await session.call('echo', large), large)
    let items = 0
    for await (const item of session.stream('megabytes', 20)) {
      assert.deepEqual((item as Uint8Array).subarray(0, 1), new Uint8Array([items++]))
    }
    assert.equal(items, 20)
    await session[Symbol.asyncDispose]()
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test(`large bytes belong to whoever they were handed to, over ${way}`, async () => {
    const { child, channel } = await start()
    await using session = createSession(channel, { handler: handlerOf() })
    const items = session.stream('same', 2)[Symbol.asyncIterator]()
    const first = await items.next()
    assert.ok(first.value instanceof Uint8Array && first.value.length === mib)
    await assert.rejects(items.next(), { code: 'RPC_VALUE_UNSUPPORTED' })
    releaseBytes(first.value)
    assert.equal(first.value.length, 0)
    await session[Symbol.asyncDispose]()
    await once(child, 'exit')
  })

  test(`a killed child is a lost session over ${way}`, async () => {
    const { child, channel } = await start()
    await using session = createSession(channel, { handler: handlerOf() })
    const hanging = session.call('hang', 1)
    await session.ping(20_000)
    child.kill('SIGKILL')
    await assert.rejects(hanging, { code: 'RPC_CLOSED' })
    assert.deepEqual(await session.ended, { kind: 'lost' })
  })
}

test('what the far end said before the session was made is not lost', async () => {
  const { channel, far } = await socketPair()
  await using other = createSession(socketChannel(far), { handler: handlerOf({ call: () => 'heard' }) })
  const early = other.call('early', 1)
  await new Promise((resolve) => setTimeout(resolve, 10))
  await using _session = createSession(channel, { handler: handlerOf({ call: () => 'answered' }) })
  assert.equal(await early, 'answered')
})

test('a channel made on a socket that is already gone ends its session', async () => {
  const { channel, far } = await socketPair()
  far.destroy()
  await closed(far)
  for (const made of [channel, socketChannel(far)]) {
    const session = createSession(made, { handler: handlerOf() })
    assert.deepEqual(await session.ended, { kind: 'lost' })
    await session[Symbol.asyncDispose]()
  }
})

test('requests wait while the peer does not read, go on when it does, and never pile up beyond the high water', async () => {
  const { channel, far } = await socketPair()
  await using near = createSession(channel, { handler: handlerOf() })
  await using _other = createSession(socketChannel(far), {
    handler: handlerOf({ call: (_target, value) => (value as Uint8Array).byteLength }),
  })
  await near.ping(10_000)
  far.pause()
  let answered = 0
  const answers = Array.from({ length: 30 }, async () => {
    assert.equal(await near.call('size', new Uint8Array(mib)), mib)
    answered++
  })
  await until(() => channel.congested)
  assert.equal(answered, 0)
  assert.ok(!(near.hung().length > 7), 'more was sent than fits')
  far.resume()
  await Promise.all(answers)
})

test('a close is bounded in time although the peer never reads', async () => {
  const { channel, far } = await socketPair()
  const session = createSession(channel, { handler: handlerOf() })
  far.write(encodeFrame(JSON.stringify([hello]), []))
  const answers = Array.from({ length: 8 }, () => session.call('store', new Uint8Array(4 * mib)))
  await until(() => channel.congested)
  await session[Symbol.asyncDispose]()
  for (const answer of answers) await assert.rejects(answer, { code: 'RPC_CLOSED' })
  far.destroy()
})

test('a descriptor that is no socket is refused', () => {
  assert.throws(() => createSession(descriptorChannel(987_654), { handler: handlerOf() }))
})

test('the calls of one tick leave as one frame', async () => {
  const { channel, far } = await socketPair()
  await using session = createSession(channel, { handler: handlerOf() })
  far.write(encodeFrame(JSON.stringify([hello]), []))
  const batches: number[] = []
  const reader = new FrameReader(mib, (text) => batches.push((JSON.parse(text) as readonly unknown[]).length))
  far.on('data', (chunk: Buffer) => reader.push(chunk)).resume()
  await until(() => batches.length === 1)
  for (let at = 0; at < 30; at++) void session.call('x', at)
  await until(() => batches.length === 2)
  assert.equal(batches[1], 30)
  far.destroy()
})

test('bytes that did not arrive in a message are not released', () => {
  const own = new Uint8Array(mib)
  releaseBytes(own)
  assert.equal(own.length, mib)
})
