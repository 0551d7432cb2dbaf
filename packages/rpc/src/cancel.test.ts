import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { kinds, link, until } from './fixtures/ends.ts'
import { hanging } from './fixtures/hanging.ts'

for (const kind of kinds) {
  test(`over a ${kind}, a cancelled call rejects at once with AbortError and the handler hears it`, async () => {
    const far = hanging()
    await using ends = await link(kind, { far })
    const controller = new AbortController()
    const answer = ends.near.call('hang', 1, { signal: controller.signal })
    await until(() => far.calls.length === 1)
    const heard = new Promise((resolve) => far.calls[0]?.signal.addEventListener('abort', resolve))
    controller.abort('enough')
    await assert.rejects(answer, { name: 'AbortError', code: 'RPC_CANCELLED' })
    await heard
    const reason: unknown = far.reason()
    assert.ok(reason instanceof PlatformError)
    assert.equal(reason.name, 'AbortError')
    assert.equal((reason.cause as Error).message, 'enough')
    assert.equal(await ends.near.call('after', 1), 'answered')
  })

  test(`over a ${kind}, an abort reason that says which kind it is is kept as it is`, async () => {
    await using ends = await link(kind, { far: hanging() })
    const reason = new DOMException('the export was cancelled', 'AbortError')
    await assert.rejects(ends.near.call('hang', 1, { signal: AbortSignal.abort(reason) }), reason)
    await assert.rejects(ends.near.call('hang', 1, { signal: AbortSignal.timeout(1) }), { name: 'TimeoutError' })
  })

  test(`over a ${kind}, a deadline rejects with TimeoutError that says which, and the handler hears it`, async () => {
    const far = hanging()
    await using ends = await link(kind, { far })
    const deadlineAtMs = Date.now() + 30
    const answer = ends.near.call('hang', 1, { deadlineAtMs })
    await assert.rejects(answer, { name: 'TimeoutError', code: 'RPC_DEADLINE', details: { deadlineAtMs } })
    await until(() => far.calls[0]?.signal.aborted === true)
    assert.equal(far.reason().name, 'TimeoutError')
    await assert.rejects(ends.near.call('hang', 1, { deadlineAtMs: Date.now() - 1 }), { code: 'RPC_DEADLINE' })
    assert.equal(far.calls.length, 1)
  })

  test(`over a ${kind}, a nearer deadline is not held up by a later one`, async () => {
    await using ends = await link(kind, { far: hanging() })
    const late = ends.near.call('hang', 1, { deadlineAtMs: Date.now() + 2 ** 33 })
    const soon = ends.near.call('hang', 1, { deadlineAtMs: Date.now() + 20 })
    const sooner = ends.near.call('hang', 1, { deadlineAtMs: Date.now() + 5 })
    await assert.rejects(sooner, { code: 'RPC_DEADLINE' })
    await assert.rejects(soon, { code: 'RPC_DEADLINE' })
    assert.equal(await Promise.race([late, Promise.resolve('waiting')]), 'waiting')
  })

  test(`over a ${kind}, a call that was given up counts until the peer has ended it`, async () => {
    const released = Promise.withResolvers<void>()
    await using ends = await link(kind, { far: { call: () => released.promise } })
    const controller = new AbortController()
    const answers = [1, 2].map((value) => ends.near.call('stay', value, { signal: controller.signal }))
    await ends.near.ping(10_000)
    assert.equal(ends.near.abandoned(0), 0)
    controller.abort()
    await Promise.allSettled(answers)
    assert.deepEqual([ends.near.abandoned(0), ends.near.abandoned(60_000)], [2, 0])
    released.resolve()
    await until(() => ends.near.abandoned(0) === 0)
  })

  test(`over a ${kind}, a late answer to a cancelled call is dropped`, async () => {
    const { promise: release, resolve } = Promise.withResolvers<string>()
    await using ends = await link(kind, { far: { call: (target) => (target === 'slow' ? release : 'answered') } })
    const controller = new AbortController()
    const answer = ends.near.call('slow', 1, { signal: controller.signal })
    await ends.near.ping(10_000)
    controller.abort()
    await assert.rejects(answer, { name: 'AbortError' })
    resolve('too late')
    assert.equal(await ends.near.call('after', 1), 'answered')
  })

  test(`over a ${kind}, calls leave no listener on their signal`, async () => {
    await using ends = await link(kind, { far: { call: (_target, value) => value } })
    const { signal } = new AbortController()
    await Promise.all(Array.from({ length: 200 }, (_, at) => ends.near.call('echo', at, { signal })))
    await assert.rejects(ends.near.call('echo', 1n, { signal }))
    for await (const _item of ends.near.stream('none', 1, { signal })) assert.fail('there are no items')
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
}
