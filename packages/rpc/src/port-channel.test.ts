import assert from 'node:assert/strict'
import { test } from 'node:test'
import { markAsUntransferable, MessageChannel, Worker } from 'node:worker_threads'
import { handlerOf, link, rawPeer } from './fixtures/ends.ts'
import { createSession, portChannel } from './index.ts'

const mib = 1024 * 1024

test('large bytes are handed over, and a second use of them is refused instead of sent empty', async () => {
  await using ends = await link('port', { far: { call: (_target, value) => (value as Uint8Array).byteLength } })
  const large = new Uint8Array(64 * 1024)
  assert.equal(await ends.near.call('size', large), 64 * 1024)
  assert.equal(large.byteLength, 0)
  await assert.rejects(ends.near.call('size', large), { code: 'RPC_VALUE_UNSUPPORTED' })
  await assert.rejects(ends.near.call('size', { data: large }), { code: 'RPC_VALUE_UNSUPPORTED' })
})

test('bytes in a buffer that is not theirs alone are copied, and the rest of the buffer stays', async () => {
  await using ends = await link('port', { far: { call: (_target, value) => value } })
  const whole = new Uint8Array(100_000).fill(1)
  const untransferable = new Uint8Array(50_000).fill(2)
  markAsUntransferable(untransferable.buffer)
  const parts: readonly Uint8Array[] = [
    whole.subarray(10, 90_000),
    Buffer.from('pooled'),
    untransferable,
    new Uint8Array(new SharedArrayBuffer(50_000)),
    new Uint8Array(new ArrayBuffer(50_000, { maxByteLength: 60_000 })),
    wasmMemory(),
  ]
  for (const part of parts) {
    const before = Uint8Array.from(part)
    assert.deepEqual(await ends.near.call('echo', part), before)
    assert.deepEqual(Uint8Array.from(part), before)
  }
  assert.equal(whole.byteLength, 100_000)
})

/** The types of this package know no WebAssembly. */
function wasmMemory(): Uint8Array {
  const { Memory } = Reflect.get(globalThis, 'WebAssembly') as {
    Memory: new (size: { initial: number }) => { buffer: ArrayBuffer }
  }
  return new Uint8Array(new Memory({ initial: 1 }).buffer)
}

test('the same bytes may stand twice in one value', async () => {
  await using ends = await link('port', { far: { call: (_target, value) => value } })
  const make = (): Uint8Array => new Uint8Array(50_000).fill(7)
  const twice = make()
  assert.deepEqual(await ends.near.call('echo', { one: twice, two: twice }), { one: make(), two: make() })
})

test('small bytes are taken when they are sent: what their owner does later in the tick does not show', async () => {
  await using ends = await link('port', { far: { call: (_target, value) => value } })
  await ends.near.ping(10_000)
  const small = new Uint8Array([1, 2, 3])
  const answer = ends.near.call('echo', small)
  small.fill(0)
  assert.deepEqual(await answer, new Uint8Array([1, 2, 3]))
})

test('the calls of one tick leave as one message', async () => {
  const { port1, port2 } = new MessageChannel()
  let messages = 0
  await using near = createSession(portChannel(port1), { handler: handlerOf() })
  await using _far = createSession(portChannel(port2), { handler: handlerOf({ call: async (_target, value) => value }) })
  await near.ping(10_000)
  port1.on('message', () => messages++)
  port2.on('message', () => messages++)
  await Promise.all(Array.from({ length: 50 }, (_, at) => near.call('echo', at)))
  assert.equal(messages, 2)
})

test('requests wait while the peer does not read, and go on when it says that it does', async () => {
  await using peer = await rawPeer('port')
  const answers = Array.from({ length: 20 }, () => peer.session.call('store', new Uint8Array(mib)))
  for (const answer of answers) answer.catch(() => {})
  // Eight mebibytes may be unread, and with what is around them eight calls are more than that.
  assert.equal((await take(peer, 8)).length, 8)
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(peer.seen.length, 8)
  peer.sendRaw(8 * mib)
  assert.equal((await take(peer, 8)).length, 8)
})

async function take(peer: Awaited<ReturnType<typeof rawPeer>>, count: number): Promise<readonly unknown[]> {
  const calls: unknown[] = []
  while (calls.length < count) {
    const message = await peer.next()
    if (message[0] === 'call') calls.push(message)
  }
  return calls
}

test('a peer that says it read more than there was ends the session', async () => {
  await using peer = await rawPeer('port')
  peer.sendRaw(mib)
  const end = await peer.session.ended
  assert.equal(end.kind === 'violated' && end.error.code, 'RPC_BAD_FRAME')
})

test('a session to a worker ends as lost when the worker is terminated', async () => {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./fixtures/echo-worker.ts', import.meta.url), { workerData: port2, transferList: [port2] })
  await using session = createSession(portChannel(port1), { handler: handlerOf() })
  assert.deepEqual(await session.call('echo', { a: 1 }), { a: 1 })
  const hanging = session.call('hang', 1)
  await session.ping(10_000)
  await worker.terminate()
  await assert.rejects(hanging, { code: 'RPC_CLOSED' })
  assert.deepEqual(await session.ended, { kind: 'lost' })
})
