import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { kinds, link } from './fixtures/ends.ts'

for (const kind of kinds) {
  test(`over a ${kind}, a thrown error arrives with all it says, causes included`, async () => {
    const root = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' })
    const middle = new PlatformError('NET_DOWN', 'the network is down', { retryable: true, cause: root })
    const thrown = new PlatformError('DISK_GONE', 'vm-7 has no disk', {
      plugin: 'hypersdk/libvirt',
      point: 'hypersdk.provider',
      hint: 'Attach one.',
      details: { vm: 'vm-7' },
      cause: middle,
    })
    const call = (target: string): unknown => {
      if (target === 'sync') throw thrown
      return Promise.reject(thrown)
    }
    await using ends = await link(kind, { far: { call } })
    for (const target of ['sync', 'async']) {
      const caught = (await ends.near.call(target, 1).catch((error: unknown) => error)) as PlatformError
      assert.ok(caught instanceof PlatformError)
      assert.deepEqual(caught.toJSON(), thrown.toJSON())
      assert.equal((caught.cause as PlatformError).code, 'NET_DOWN')
      assert.equal(((caught.cause as PlatformError).cause as PlatformError).code, 'EHOSTUNREACH')
    }
  })

  test(`over a ${kind}, abort and timeout errors keep their names, wherever they are in the chain`, async () => {
    const call = (target: string): unknown => {
      const inner = target === 'abort' ? new DOMException('stopped', 'AbortError') : new DOMException('late', 'TimeoutError')
      throw target === 'nested' ? new Error('outer', { cause: inner }) : inner
    }
    await using ends = await link(kind, { far: { call } })
    await assert.rejects(ends.near.call('abort', 1), { name: 'AbortError', message: 'stopped' })
    await assert.rejects(ends.near.call('late', 1), { name: 'TimeoutError', message: 'late' })
    const nested = (await ends.near.call('nested', 1).catch((error: unknown) => error)) as Error
    assert.equal((nested.cause as Error).name, 'TimeoutError')
  })

  test(`over a ${kind}, whatever is thrown arrives as an error`, async () => {
    const details: Record<string, unknown> = {}
    details['self'] = details
    const thrown: readonly unknown[] = [
      'text',
      undefined,
      null,
      7n,
      Symbol('s'),
      Object.create(null),
      new PlatformError('X_Y', 'cyclic', { details }),
      new PlatformError('X_Y', 'z'.repeat(9_000_000)),
    ]
    await using ends = await link(kind, {
      far: {
        call: (_target, value) => {
          throw thrown[value as number]
        },
      },
    })
    for (const at of thrown.keys()) await assert.rejects(ends.near.call('throw', at), PlatformError)
  })

  test(`over a ${kind}, an error beyond what the other side takes keeps its code and the beginning of its message`, async () => {
    let details: Record<string, unknown> = {}
    for (let level = 0; level < 20; level++) details = { details }
    const errors = [
      new PlatformError('DISK_GONE', `gone ${'z'.repeat(300_000)}`, { retryable: true }),
      new PlatformError('DISK_GONE', 'gone deep', { retryable: true, details }),
    ]
    const heard: unknown[] = []
    await using ends = await link(kind, {
      nearLimits: { messageBytes: 256 * 1024, depth: 10 },
      near: {
        call: (_target, _value, { signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(heard.push(signal.reason)))),
      },
      far: { call: (_target, at) => Promise.reject(errors[at as number]) },
    })
    for (const at of errors.keys()) {
      const caught = (await ends.near.call('get', at).catch((error: unknown) => error)) as PlatformError
      assert.deepEqual([caught.code, caught.retryable, caught.message.slice(0, 5)], ['DISK_GONE', true, 'gone '])
    }
    for (const error of errors) {
      const controller = new AbortController()
      const answer = ends.far.call('wait', 1, { signal: controller.signal })
      await ends.far.ping(10_000)
      controller.abort(error)
      await assert.rejects(answer, { name: 'AbortError' })
      await ends.far.ping(10_000)
    }
    assert.equal(heard.length, 2)
  })

  test(`over a ${kind}, a result that cannot cross is an error of that call alone`, async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- the point of the test
    const thenable = Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('no peeking')
      },
    })
    const results: readonly unknown[] = [1n, { deep: { bytes: new Uint8Array(1) } }, new Map(), Number.NaN, () => {}]
    await using ends = await link(kind, { far: { call: (_target, value) => [...results, thenable, 'fine'][value as number] } })
    for (const at of results.keys()) await assert.rejects(ends.near.call('get', at), { code: 'RPC_VALUE_UNSUPPORTED' })
    await assert.rejects(ends.near.call('get', results.length), { message: 'no peeking' })
    assert.equal(await ends.near.call('get', results.length + 1), 'fine')
  })
}
