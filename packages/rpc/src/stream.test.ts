import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { kinds, link, rawPeer } from './fixtures/ends.ts'
import { forever } from './fixtures/hanging.ts'
import type { IncomingCall } from './index.ts'

async function* count(_target: string, upTo: unknown): AsyncIterable<number> {
  for (let at = 0; at < (upTo as number); at++) yield at
}

async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const item of items) all.push(item)
  return all
}

for (const kind of kinds) {
  test(`over a ${kind}, a stream's items arrive in order, and then its end`, async () => {
    await using ends = await link(kind, { far: { stream: count } })
    assert.deepEqual(
      await collect(ends.near.stream('count', 1_000)),
      Array.from({ length: 1_000 }, (_, at) => at),
    )
    assert.deepEqual(await collect(ends.near.stream('count', 0)), [])
  })

  test(`over a ${kind}, a stream starts when it is iterated, each time anew`, async () => {
    let started = 0
    const stream = (target: string, upTo: unknown): AsyncIterable<unknown> => {
      started++
      return count(target, upTo)
    }
    await using ends = await link(kind, { far: { stream } })
    const items = ends.near.stream('count', 2)
    await ends.near.ping(10_000)
    assert.equal(started, 0)
    assert.deepEqual([...(await collect(items)), ...(await collect(items))], [0, 1, 0, 1])
    assert.equal(started, 2)
  })

  test(`over a ${kind}, a producer is never more than the credit ahead, however much it has`, async () => {
    // As many items as a gibibyte in chunks of a mebibyte has: what is ahead is counted, not weighed.
    const items = 1_024
    const credit = 8
    let made = 0
    let taken = 0
    let mostAhead = 0
    await using ends = await link(kind, {
      nearLimits: { credit },
      far: {
        stream: async function* () {
          while (made < items) {
            made++
            mostAhead = Math.max(mostAhead, made - taken)
            yield new Uint8Array(64)
          }
        },
      },
    })
    for await (const _item of ends.near.stream('disk', 1)) {
      taken++
      if (taken % 100 === 0) await ends.near.ping(10_000)
    }
    assert.equal(taken, items)
    // One item beyond the credit may be on its way to the loop body.
    assert.ok(mostAhead <= credit + 1, `${String(mostAhead)} ahead`)
  })

  test(`over a ${kind}, a consumer that stops reading stops the producer`, async () => {
    let made = 0
    await using ends = await link(kind, {
      nearLimits: { credit: 4 },
      far: {
        stream: async function* () {
          for (;;) yield ++made
        },
      },
    })
    const items = ends.near.stream('endless', 1)[Symbol.asyncIterator]()
    await items.next()
    for (let round = 0; round < 5; round++) await ends.near.ping(10_000)
    assert.ok(made <= 5, `${String(made)} made`)
    await items.return?.()
  })

  test(`over a ${kind}, leaving the loop cancels at the producer, which cleans up`, async () => {
    const cleaned = Promise.withResolvers<Error>()
    await using ends = await link(kind, {
      far: {
        stream: async function* (_target, _value, call) {
          try {
            for (;;) yield 'item'
          } finally {
            cleaned.resolve(call.signal.reason as Error)
          }
        },
      },
    })
    for await (const _item of ends.near.stream('endless', 1)) break
    assert.equal((await cleaned.promise).name, 'AbortError')
    const items = ends.near.stream('endless', 1)[Symbol.asyncIterator]()
    await items.next()
    await items.return?.()
    assert.deepEqual(await items.next(), { done: true, value: undefined })
  })

  test(`over a ${kind}, a producer that waits for something hears that its consumer left`, async () => {
    const heard = Promise.withResolvers<void>()
    const stream = (_target: string, _value: unknown, call: IncomingCall): AsyncIterable<unknown> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          call.signal.addEventListener('abort', () => heard.resolve())
          return forever()
        },
      }),
    })
    await using ends = await link(kind, { far: { stream } })
    const controller = new AbortController()
    const item = ends.near.stream('stuck', 1, { signal: controller.signal })[Symbol.asyncIterator]().next()
    await ends.near.ping(10_000)
    controller.abort()
    await assert.rejects(item, { name: 'AbortError' })
    await heard.promise
  })

  test(`over a ${kind}, an error in the middle comes after the items before it, once`, async () => {
    const cause = Object.assign(new Error('bad sector'), { code: 'EIO' })
    const error = new PlatformError('DISK_READ_FAILED', 'vm-7 cannot be read at 3', { details: { at: 3 }, cause })
    await using ends = await link(kind, {
      far: {
        stream: async function* () {
          yield* [1, 2, 3]
          throw error
        },
      },
    })
    const items = ends.near.stream('disk', 1)[Symbol.asyncIterator]()
    await ends.near.ping(10_000)
    for (const value of [1, 2, 3]) assert.deepEqual(await items.next(), { done: false, value })
    const caught = (await items.next().catch((thrown: unknown) => thrown)) as PlatformError
    assert.deepEqual(caught.toJSON(), error.toJSON())
    assert.deepEqual(await items.next(), { done: true, value: undefined })
  })

  test(`over a ${kind}, a stream that cannot start, or has an item that cannot cross, fails`, async () => {
    let left = false
    const stream = (target: string): AsyncIterable<unknown> => {
      if (target === 'throw') throw new PlatformError('NO_DISK', 'there is none')
      if (target === 'no stream') return [1, 2] as never
      return (async function* () {
        try {
          yield 1
          yield 1n
          assert.fail('nobody asked for more')
        } finally {
          left = true
        }
      })()
    }
    await using ends = await link(kind, { far: { stream } })
    await assert.rejects(collect(ends.near.stream('throw', 1)), { code: 'NO_DISK' })
    await assert.rejects(collect(ends.near.stream('no stream', 1)), PlatformError)
    await assert.rejects(collect(ends.near.stream('bad item', 1)), { code: 'RPC_VALUE_UNSUPPORTED' })
    assert.equal(left, true)
  })

  test(`over a ${kind}, several steps may be asked for at once`, async () => {
    await using ends = await link(kind, { far: { stream: count } })
    const items = ends.near.stream('count', 3)[Symbol.asyncIterator]()
    const steps = await Promise.all([items.next(), items.next(), items.next(), items.next(), items.next()])
    assert.deepEqual(
      steps.map((step) => (step.done === true ? 'done' : (step.value as number))),
      [0, 1, 2, 'done', 'done'],
    )
  })

  test(`over a ${kind}, a deadline ends a stream, and what waits unread is dropped`, async () => {
    const calls: IncomingCall[] = []
    await using ends = await link(kind, {
      far: {
        stream: async function* (_target, _value, call) {
          calls.push(call)
          yield* [1, 2, 3]
          await forever()
        },
      },
    })
    const items = ends.near.stream('slow', 1, { deadlineAtMs: Date.now() + 30 })[Symbol.asyncIterator]()
    assert.deepEqual(await items.next(), { done: false, value: 1 })
    const aborted = new Promise((resolve) => calls[0]?.signal.addEventListener('abort', resolve))
    await aborted
    await assert.rejects(items.next(), { name: 'TimeoutError', code: 'RPC_DEADLINE' })
    assert.deepEqual(await items.next(), { done: true, value: undefined })
  })

  test(`over a ${kind}, a stream counts as in flight until its producer has cleaned up`, async () => {
    const release = Promise.withResolvers<void>()
    await using peer = await rawPeer(kind, {
      limits: { inFlight: 1 },
      handler: {
        stream: async function* () {
          try {
            for (;;) yield 1
          } finally {
            await release.promise
          }
        },
      },
    })
    peer.send(['stream', 1, 'endless', 0, '', '', 1])
    assert.deepEqual(await peer.next(), ['item', 1, 1])
    peer.send(['cancel', 1, { code: 'ABORTED', message: 'left', name: 'AbortError' }], ['credit', 1, 5])
    peer.send(['ping', 1])
    assert.deepEqual(await peer.next(), ['pong', 1])
    release.resolve()
    assert.deepEqual(await peer.next(), ['end', 1])
    peer.send(['call', 2, 'x', 0, '', ''])
    assert.deepEqual(await peer.next(), ['result', 2])
  })
}
