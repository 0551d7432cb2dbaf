import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError, type Scope, type ServedBy } from '@backplane/sdk'
import { testKernel, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points, store } from '../fixtures/demo-points.ts'

let answer: () => unknown = () => 'well'
const withEcho = (options = {}): Promise<TestKernel> =>
  testKernel({ points, plugins: [echoPlugin({ say: () => answer() })], ...options })
const say = (t: TestKernel, name = 'echo'): Promise<string> => t.kernel.provider(echo, name).say('x')
const fails = (error: Error) => (): never => {
  throw error
}

/** Calls that all fail. */
async function fail(t: TestKernel, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) await assert.rejects(say(t), { code: 'CALL_FAILED' })
}

test('a provider that fails five times in a row is not asked for a while; then one call tries it, and it is asked again', async () => {
  await using t = await withEcho()
  answer = fails(new Error('down'))
  await fail(t, 5)
  await assert.rejects(say(t), (error: PlatformError) => {
    assert.deepEqual([error.code, error.retryable, error.plugin], ['CALL_BREAKER_OPEN', true, 'demo/echo'])
    assert.equal(error.details?.['retryAtMs'], t.clock.now() + 5_000)
    return true
  })
  assert.equal(t.kernel.plugins.get('echo')?.breakers[0]?.state, 'open')
  await t.clock.advance(5_000)
  answer = () => 'well'
  assert.equal(await say(t), 'well')
  const changes = t.events().flatMap((event) => (event.type === 'breaker.changed' ? [event.to] : []))
  assert.deepEqual(changes, ['open', 'closed'])
  for (let time = 0; time < 20; time += 1) await say(t)
  assert.deepEqual(t.kernel.plugins.get('echo')?.breakers, [])
})

test('while one call tries it, no other goes through; when that fails it is left alone once more', async () => {
  await using t = await withEcho()
  answer = fails(new Error('down'))
  await fail(t, 5)
  await t.clock.advance(5_000)
  const release = Promise.withResolvers<string>()
  answer = () => release.promise
  const trying = assert.rejects(say(t), { code: 'CALL_FAILED' })
  for (let time = 0; time < 3; time += 1) await assert.rejects(say(t), { code: 'CALL_BREAKER_OPEN' })
  release.reject(new Error('still down'))
  await trying
  await assert.rejects(say(t), { code: 'CALL_BREAKER_OPEN' })
})

test('a call that tried it and was cancelled leaves it to the next', async () => {
  await using t = await withEcho()
  answer = fails(new Error('down'))
  await fail(t, 5)
  await t.clock.advance(5_000)
  answer = () => new Promise(() => undefined)
  const stop = new AbortController()
  const trying = assert.rejects(t.kernel.provider(echo, 'echo').say('x', { signal: stop.signal }), { name: 'AbortError' })
  stop.abort()
  await trying
  answer = () => 'well'
  assert.equal(await say(t), 'well')
})

test('a call that tried it on a generation that was taken out of service meanwhile leaves it to the next', async () => {
  await using t = await withEcho()
  answer = fails(new Error('down'))
  await fail(t, 5)
  await t.clock.advance(5_000)
  const release = Promise.withResolvers<string>()
  answer = () => release.promise
  const trying = assert.rejects(say(t), { code: 'CALL_FAILED' })
  const off = t.kernel.plugins.disable('echo')
  release.reject(new Error('still down'))
  await Promise.all([trying, off])
  await t.kernel.plugins.enable('echo')
  answer = () => 'well'
  assert.equal(await say(t), 'well')
})

test('half of the newest twenty calls failing is too much as well; fewer are not', async () => {
  await using t = await withEcho()
  let calls = 0
  const everyNth = (nth: number) => (): unknown => ((calls += 1), calls % nth === 0 ? fails(new Error('down'))() : 'well')
  answer = everyNth(3)
  await Promise.allSettled(Array.from({ length: 60 }, () => say(t)))
  assert.equal(await say(t), 'well')
  answer = everyNth(2)
  for (let time = 0; time < 40; time += 1) await say(t).catch(() => undefined)
  await assert.rejects(say(t), { code: 'CALL_BREAKER_OPEN' })
})

test('what is an answer is no failure: an error with a code of its own, a caller’s deadline, an input that does not fit', async () => {
  await using t = await withEcho()
  answer = fails(new PlatformError('VM_NOT_FOUND', 'there is no such machine'))
  await fail(t, 30)
  answer = () => new Promise(() => undefined)
  const late = Promise.allSettled(Array.from({ length: 7 }, () => t.kernel.provider(echo, 'echo').say('x', { deadlineMs: 10 })))
  await t.clock.advance(10)
  await late
  for (let time = 0; time < 10; time += 1)
    await assert.rejects(t.kernel.provider(echo, 'echo').say(7 as never), { code: 'CALL_INPUT_INVALID' })
  answer = () => 'well'
  assert.equal(await say(t), 'well')
  assert.deepEqual(t.kernel.plugins.get('echo')?.breakers, [])
})

test('an error that says itself that later may be better counts, as do ends of the process and answers that do not fit', async () => {
  await using files = await withEcho()
  answer = fails(Object.assign(new Error('no such file'), { code: 'ENOENT' }))
  await fail(files, 10)
  const reasons: readonly [() => unknown, string][] = [
    [fails(new PlatformError('UPSTREAM_BUSY', 'busy', { retryable: true })), 'CALL_FAILED'],
    [fails(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })), 'CALL_FAILED'],
    [() => 42, 'CALL_OUTPUT_INVALID'],
  ]
  for (const [reason, code] of reasons) {
    await using t = await withEcho()
    answer = reason
    for (let time = 0; time < 5; time += 1) await assert.rejects(say(t), { code })
    await assert.rejects(say(t), { code: 'CALL_BREAKER_OPEN' })
  }
})

test('another version is asked at once: it does not answer for what the one before it did', async () => {
  await using t = await withEcho()
  answer = fails(new Error('down'))
  await fail(t, 5)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '2.0.0 x')
})

test('where the first takes no calls the next that the host named is asked, and that is told with the call’s trace', async () => {
  const plugins = [echoPlugin({ say: () => answer() }), echoPlugin({ id: 'demo/other' }), echoPlugin({ id: 'demo/third' })]
  const fallbacks = { 'demo.echo': { echo: ['gone', 'other', 'third'] } }
  await using t = await withEcho({ plugins, fallbacks })
  answer = fails(new Error('down'))
  await assert.rejects(say(t), { code: 'CALL_FAILED' }, 'one that was asked is not asked of another')
  await fail(t, 4)
  const client = t.kernel.provider(echo, 'echo')
  const served: ServedBy[] = []
  assert.equal(await client.say('x', { traceId: 'abc', onServed: (by) => void served.push(by) }), '1.0.0 x')
  assert.deepEqual(served, [{ plugin: 'demo/other', version: '1.0.0', generation: 1, name: 'other' }])
  const told = t.events().flatMap((event) => (event.type === 'call.fell-back' ? [event] : []))
  assert.deepEqual(
    told.map(({ from, to, code, traceId }) => [from, to, code, traceId]),
    [
      ['echo', 'gone', 'CALL_BREAKER_OPEN', 'abc'],
      ['gone', 'other', 'POINT_UNKNOWN_PROVIDER', 'abc'],
    ],
  )
  const items: number[] = []
  for await (const item of client.count(3)) items.push(item)
  assert.deepEqual(items, [1, 2, 3])
  await t.kernel.plugins.disable('demo/other')
  assert.equal(await say(t), '1.0.0 x')
  await t.kernel.plugins.disable('demo/third')
  await assert.rejects(say(t), { code: 'CALL_BREAKER_OPEN' }, 'what was asked for is what has to be repaired')
  assert.equal(t.kernel.plugins.get('demo/other')?.counters.calls, 2)
})

test('what a plugin calls of another goes the same ways', async () => {
  const given = Promise.withResolvers<Scope>()
  const plugins = [
    echoPlugin(),
    echoPlugin({ id: 'demo/other', version: '3.0.0' }),
    { manifest: { id: 'demo/user' }, setup: (scope: Scope) => given.resolve(scope) },
  ]
  await using t = await testKernel({ points, plugins, fallbacks: { 'demo.echo': { echo: ['other'] } } })
  await t.kernel.plugins.start('demo/user')
  const client = (await given.promise).use(echo, 'echo')
  assert.equal(await client.say('x'), '1.0.0 x')
  await t.kernel.plugins.disable('demo/echo')
  assert.equal(await client.say('x'), '3.0.0 x')
  const items: number[] = []
  for await (const item of client.count(2)) items.push(item)
  assert.deepEqual(items, [1, 2])
  await t.kernel.plugins.disable('demo/other')
  await assert.rejects(client.say('x'), { code: 'PLUGIN_UNAVAILABLE', plugin: 'demo/echo' })
})

test('an instance is opened where it can be; a lease stays with what it holds', async () => {
  const disk = (id: string): object => ({
    manifest: { id: `demo/${id}`, contributes: { 'demo.store': { [id]: {} } } },
    setup: (scope: { provide: (...given: unknown[]) => void }) =>
      scope.provide(store, id, { open: () => ({ get: () => id, list: () => [] }) }),
  })
  await using t = await testKernel({
    points,
    plugins: [disk('first'), disk('second')] as never,
    fallbacks: { 'demo.store': { first: ['second'] } },
  })
  const lease = await t.kernel.lease(store, 'first')
  const disabled = t.kernel.plugins.disable('demo/first')
  await t.event('plugin.changed', ({ to }) => to === 'draining')
  await using opened = await t.kernel.provider(store, 'first').open('a:')
  assert.equal(await opened.get('k'), 'second')
  {
    await using held = await lease.handle.open('a:')
    assert.equal(await held.get('k'), 'first')
  }
  await lease[Symbol.asyncDispose]()
  await disabled
})
