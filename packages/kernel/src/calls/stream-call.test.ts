import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'

const kernelWith = (parts: EchoParts, options = {}): ReturnType<typeof testKernel> =>
  testKernel({ points, plugins: [echoPlugin(parts)], ...options })
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
const active = async (t: Awaited<ReturnType<typeof testKernel>>): Promise<number | undefined> =>
  t.kernel.plugins.get('demo/echo')?.counters.active

test('items arrive in order and the call ends with the stream', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  assert.deepEqual(await collect(client.count(4)), [1, 2, 3, 4])
  assert.equal(await active(t), 0)
  assert.equal(t.kernel.plugins.get('demo/echo')?.counters.calls, 1)
})

test('nothing happens before the first item is asked for, and each iteration is a call of its own', async () => {
  await using t = await kernelWith({})
  const items = t.kernel.provider(echo, 'echo').count(2)
  assert.equal(t.kernel.plugins.get('demo/echo')?.state.name, 'idle')
  assert.deepEqual(await collect(items), [1, 2])
  assert.deepEqual(await collect(items), [1, 2])
  assert.equal(t.kernel.plugins.get('demo/echo')?.counters.calls, 2)
})

test('each item is checked; the first that does not fit ends the stream and the producer', async () => {
  let cleaned = false
  async function* count(): AsyncIterable<unknown> {
    try {
      yield 1
      yield 'two'
      yield 3
    } finally {
      cleaned = true
    }
  }
  await using t = await kernelWith({ count })
  const seen: number[] = []
  const read = async (): Promise<void> => {
    for await (const item of t.kernel.provider(echo, 'echo').count(3)) seen.push(item)
  }
  await assert.rejects(read(), { code: 'CALL_OUTPUT_INVALID', message: /demo\.echo\.count/ })
  assert.deepEqual(seen, [1])
  await t.clock.advance(1)
  assert.ok(cleaned)
  assert.equal(await active(t), 0)
})

test('leaving the loop runs the cleanup of the producer before it goes on', async () => {
  let cleaned = false
  async function* count(): AsyncIterable<number> {
    try {
      for (let at = 1; ; at += 1) yield at
    } finally {
      await Promise.resolve()
      cleaned = true
    }
  }
  await using t = await kernelWith({ count })
  for await (const item of t.kernel.provider(echo, 'echo').count(0)) if (item === 3) break
  assert.ok(cleaned)
  assert.equal(await active(t), 0)
})

test('what the producer throws in the middle arrives once, attributed', async () => {
  async function* count(): AsyncIterable<number> {
    yield 1
    throw new Error('disk full')
  }
  await using t = await kernelWith({ count })
  const iterator = t.kernel.provider(echo, 'echo').count(0)[Symbol.asyncIterator]()
  assert.deepEqual(await iterator.next(), { done: false, value: 1 })
  await assert.rejects(iterator.next(), { code: 'CALL_FAILED', message: /disk full/, plugin: 'demo/echo' })
  assert.deepEqual(await iterator.next(), { done: true, value: undefined })
})

test('a deadline counts for the whole stream, and between items it is told at the next one', async () => {
  const stuck = Promise.withResolvers<Call>()
  async function* count(_: number, call: Call): AsyncIterable<number> {
    yield 1
    call.signal.addEventListener('abort', () => stuck.resolve(call))
    await new Promise(() => undefined)
  }
  await using t = await kernelWith({ count })
  const waiting = t.kernel.provider(echo, 'echo').count(0, { deadlineMs: 100 })[Symbol.asyncIterator]()
  await waiting.next()
  const refused = assert.rejects(waiting.next(), { code: 'CALL_DEADLINE' })
  await t.clock.advance(100)
  await refused
  assert.ok((await stuck.promise).signal.aborted)
  const idle = t.kernel.provider(echo, 'echo').count(0, { deadlineMs: 100 })[Symbol.asyncIterator]()
  await idle.next()
  await t.clock.advance(100)
  await assert.rejects(idle.next(), { code: 'CALL_DEADLINE' })
  assert.equal(await active(t), 0)
})

test('leaving while an item is awaited ends the stream at once and tells the producer', async () => {
  const told = Promise.withResolvers<void>()
  async function* count(_: number, call: Call): AsyncIterable<number> {
    yield 1
    call.signal.addEventListener('abort', () => told.resolve())
    await new Promise(() => undefined)
  }
  await using t = await kernelWith({ count })
  const iterator = t.kernel.provider(echo, 'echo').count(0)[Symbol.asyncIterator]()
  await iterator.next()
  const pending = iterator.next()
  await t.clock.advance(1)
  assert.deepEqual(await iterator.return?.(), { done: true, value: undefined })
  assert.deepEqual(await pending, { done: true, value: undefined })
  await told.promise
  assert.equal(await active(t), 0)
})

test('items asked for ahead keep their order', async () => {
  await using t = await kernelWith({})
  const iterator = t.kernel.provider(echo, 'echo').count(2)[Symbol.asyncIterator]()
  const steps = await Promise.all([iterator.next(), iterator.next(), iterator.next()])
  assert.deepEqual(
    steps.map(({ value }) => value as number | undefined),
    [1, 2, undefined],
  )
})

test('a plugin that answers a stream with something else fails as itself', async () => {
  for (const answer of [undefined, 1, {}, 'text']) {
    await using t = await kernelWith({ count: () => answer })
    const read = collect(t.kernel.provider(echo, 'echo').count(1))
    await assert.rejects(read, (error: { code: string }) => ['CALL_FAILED', 'CALL_OUTPUT_INVALID'].includes(error.code))
    assert.equal(await active(t), 0)
  }
})

test('cancelling by signal ends the stream with the reason', async () => {
  const abort = new AbortController()
  await using t = await kernelWith({})
  const iterator = t.kernel.provider(echo, 'echo').count(9, { signal: abort.signal })[Symbol.asyncIterator]()
  await iterator.next()
  abort.abort(new Error('enough'))
  await assert.rejects(iterator.next(), { message: 'enough' })
})

test('a cleanup that never ends is not waited for longer than a plugin that stops', async () => {
  async function* count(): AsyncIterable<number> {
    try {
      yield 1
    } finally {
      await new Promise(() => undefined)
    }
  }
  await using t = await kernelWith({ count }, { times: { stopMs: 100 } })
  const iterator = t.kernel.provider(echo, 'echo').count(0)[Symbol.asyncIterator]()
  await iterator.next()
  const left = iterator.return?.()
  await t.clock.advance(100)
  assert.deepEqual(await left, { done: true, value: undefined })
  assert.equal(await active(t), 0)
})
