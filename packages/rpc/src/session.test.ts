import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { kinds, link } from './fixtures/ends.ts'

const bytes = new Uint8Array([0, 1, 254, 255])
const values: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1.5,
  2 ** 53,
  '',
  'ä€😀\u0000\n"\\',
  '\ud800',
  [],
  {},
  { a: [1, { b: null }], c: 'x' },
  bytes,
  new Uint8Array(0),
  { name: 'disk', data: bytes, size: 4 },
  { one: bytes, two: bytes },
  [1, bytes, 'x', new Uint8Array(0)],
  { constructor: 'plain text', prototype: 1, hasOwnProperty: false },
]

for (const kind of kinds) {
  test(`over a ${kind}, every legal value arrives as it was sent`, async () => {
    await using ends = await link(kind, { far: { call: (_target, value) => value } })
    for (const value of values) assert.deepEqual(await ends.near.call('echo', value), value)
  })

  test(`over a ${kind}, megabytes of bytes arrive as they were sent`, async () => {
    await using ends = await link(kind, { far: { call: async (_target, value) => value } })
    const sent = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, at) => at % 251)
    const kept = sent.slice()
    const answer = (await ends.near.call('echo', { bytes: sent, tail: 'x' })) as { bytes: Uint8Array }
    assert.equal(Buffer.compare(answer.bytes, kept), 0)
  })

  test(`over a ${kind}, undefined members are left out and become null in arrays, and dates become text`, async () => {
    await using ends = await link(kind, { far: { call: (_target, value) => value } })
    const sent = { gone: undefined, list: [undefined, 1], at: new Date(0), bytes }
    assert.deepEqual(await ends.near.call('echo', sent), { list: [null, 1], at: '1970-01-01T00:00:00.000Z', bytes })
    assert.deepEqual(await ends.near.call('echo', { gone: undefined, list: [undefined] }), { list: [null] })
  })

  test(`over a ${kind}, both sides call each other at the same time`, async () => {
    await using ends = await link(kind, {
      near: { call: (target) => `near ${target}` },
      far: { call: async (target) => `far ${target}, ${String(await ends.far.call(target, 1))}` },
    })
    const answers = await Promise.all(['a', 'b', 'c'].map((target) => ends.near.call(target, undefined)))
    assert.deepEqual(answers, ['far a, near a', 'far b, near b', 'far c, near c'])
  })

  test(`over a ${kind}, answers come in any order, each to its call`, async () => {
    const held: (() => void)[] = []
    const call = (_target: string, value: unknown): Promise<unknown> =>
      new Promise((resolve) => {
        held.push(() => resolve(value))
        if (held.length === 50) for (const answer of held.toReversed()) answer()
      })
    await using ends = await link(kind, { far: { call } })
    const calls = Array.from({ length: 50 }, (_, at) => ends.near.call('later', at))
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 50 }, (_, at) => at),
    )
  })

  test(`over a ${kind}, a request tells who calls, until when, and in which trace`, async () => {
    await using ends = await link(kind, {
      far: { call: (target, _value, { deadlineAtMs, traceId, caller }) => ({ target, deadlineAtMs, traceId, caller }) },
    })
    const options = { deadlineAtMs: Date.now() + 60_000, traceId: '4bf92f3577b34da6a3ce929d0e0e4736', caller: 'acme/"disks"' }
    assert.deepEqual(await ends.near.call('point/"x"', 1, options), { target: 'point/"x"', ...options })
    assert.deepEqual(await ends.near.call('t', 1), { target: 't', traceId: '', caller: '' })
  })

  test(`over a ${kind}, a notice arrives without an answer, and what its handler throws hurts nobody`, async () => {
    const seen: unknown[] = []
    await using ends = await link(kind, {
      far: {
        call: () => 'still here',
        notice: (target, value) => {
          seen.push([target, value])
          if (value === 'throw') throw new Error('thrown')
          if (value === 'reject') return Promise.reject(new Error('rejected')) as never
        },
      },
    })
    for (const value of ['throw', 'reject', bytes]) assert.equal(ends.near.notify('log', value), true)
    assert.equal(await ends.near.call('after', 1), 'still here')
    assert.deepEqual(seen, [
      ['log', 'throw'],
      ['log', 'reject'],
      ['log', bytes],
    ])
  })

  test(`over a ${kind}, a ping is answered`, async () => {
    await using ends = await link(kind)
    await Promise.all([ends.near.ping(10_000), ends.near.ping(10_000), ends.far.ping(10_000)])
  })

  test(`over a ${kind}, progress arrives newest first and before the answer`, async () => {
    const seen: unknown[] = []
    await using ends = await link(kind, {
      far: {
        call: async (_target, _value, call) => {
          for (let done = 1; done <= 1_000; done++) call.progress({ done, total: 1_000, phase: 'copy' })
          call.progress({ done: Number.NaN })
          await turn()
          return 'copied'
        },
      },
    })
    const answer = await ends.near.call('copy', 1, { onProgress: (progress) => seen.push(progress) })
    assert.equal(answer, 'copied')
    assert.deepEqual(seen, [{ done: 1_000, total: 1_000, phase: 'copy' }])
  })

  test(`over a ${kind}, progress of a running call arrives while it runs`, async () => {
    const { promise: seen, resolve } = Promise.withResolvers<void>()
    await using ends = await link(kind, {
      far: {
        call: async (_target, _value, { progress }) => {
          progress({ done: 1 })
          await seen
        },
      },
    })
    await ends.near.call('copy', 1, { onProgress: () => resolve() })
  })

  test(`over a ${kind}, a caller whose progress callback throws loses its call, not its session`, async () => {
    await using ends = await link(kind, {
      far: { call: (target, _value, call) => (target === 'copy' ? call.progress({ done: 1 }) : 'still here') },
    })
    const thrown = new Error('from the callback')
    const onProgress = (): never => {
      throw thrown
    }
    await assert.rejects(ends.near.call('copy', 1, { onProgress }), { name: 'AbortError', cause: thrown })
    assert.equal(await ends.near.call('after', 1), 'still here')
  })
}
