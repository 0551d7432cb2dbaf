import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { defineHook, defineProvider, unary, type Schema, type Scope } from '@backplane/sdk'
import { fakeClock, inlineRuntime, inlineSource, testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, text } from './fixtures/demo-points.ts'
import { createKernel } from './index.ts'

test('a plugin is found, checked, resolved and idle; its first call starts it', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  assert.deepEqual(t.kernel.report.plugins, [{ id: 'demo/echo', version: '1.0.0', state: 'idle' }])
  assert.ok(t.kernel.report.ok)
  assert.equal(t.runtime.running().length, 0)
  assert.equal(await t.kernel.provider(echo, 'echo').say('hello'), '1.0.0 hello')
  const record = t.kernel.plugins.get('demo/echo')
  assert.equal(record?.state.name, 'active')
  assert.equal(record.generation, 1)
  assert.match(record.digest ?? '', /^sha256:[0-9a-f]{64}$/)
  const reached = t.events().flatMap((event) => (event.type === 'plugin.changed' ? [event.to] : []))
  assert.deepEqual(reached, ['discovered', 'checked', 'resolved', 'idle', 'starting', 'active'])
})

test('many first calls at once share one start', async () => {
  let setups = 0
  const plugin = echoPlugin()
  const setup: typeof plugin.setup = async (scope) => {
    setups += 1
    await plugin.setup?.(scope)
  }
  await using t = await testKernel({ points, plugins: [{ ...plugin, setup }] })
  const client = t.kernel.provider(echo, 'echo')
  const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => client.say(String(at))))
  assert.equal(setups, 1)
  assert.equal(answers[49], '1.0.0 49')
})

test('an eager plugin, and one at an eager point, start with the kernel', async () => {
  const alarm = defineHook('demo.alarm', { strategy: 'all', value: text, activation: 'eager' })
  const eager = echoPlugin({ id: 'demo/eager', manifest: { activation: 'eager' } })
  const bound = {
    manifest: { id: 'demo/bound', contributes: { 'demo.alarm': { ring: {} } } },
    setup: (scope: Scope) => scope.on(alarm, 'ring', () => undefined),
  }
  await using t = await testKernel({ points: [...points, alarm], plugins: [eager, bound, echoPlugin()] })
  const states = Object.fromEntries(t.kernel.report.plugins.map(({ id, state }) => [id, state]))
  assert.deepEqual(states, { 'demo/bound': 'active', 'demo/eager': 'active', 'demo/echo': 'idle' })
})

test('many plugins start eight at a time', async () => {
  let running = 0
  let most = 0
  const eight = Promise.withResolvers<undefined>()
  const plugins = Array.from({ length: 20 }, (_, at) => ({
    manifest: { id: `demo/eager-${at}`, activation: 'eager' },
    setup: async () => {
      running += 1
      most = Math.max(most, running)
      if (running === 8) {
        await setImmediate()
        eight.resolve(undefined)
      }
      await eight.promise
      running -= 1
    },
  }))
  await using t = await testKernel({ plugins })
  assert.equal(t.kernel.report.plugins.filter(({ state }) => state === 'active').length, 20)
  assert.equal(most, 8)
})

test('the report is not ok when a required plugin failed, and only then', async () => {
  const broken = { manifest: { id: 'demo/broken' }, setup: () => assert.fail('no') }
  const eager = { ...broken, manifest: { id: 'demo/eager', activation: 'eager' } }
  await using fine = await testKernel({ plugins: [eager] })
  assert.ok(fine.kernel.report.ok)
  assert.equal(fine.kernel.report.plugins[0]?.state, 'failed')
  await using bad = await testKernel({ plugins: [{ ...broken, manifest: { id: 'demo/broken', criticality: 'required' } }] })
  assert.ok(!bad.kernel.report.ok)
  assert.match(bad.kernel.report.plugins[0]?.reason ?? '', /no/)
  await using told = await testKernel({ plugins: [eager], settings: () => ({ criticality: 'required' }) })
  assert.ok(!told.kernel.report.ok)
})

test('a point given twice, or with a method that makes a client a promise, is the mistake of the host', async () => {
  await assert.rejects(testKernel({ points: [echo, echo] }), { code: 'POINT_INVALID' })
  for (const method of ['then', 'has', 'constructor', 'toJSON']) {
    const point = defineProvider('demo.bad', { [method]: unary(text, text) })
    await assert.rejects(testKernel({ points: [point] }), { code: 'POINT_INVALID' })
  }
})

test('a schema that answers with a promise is refused, at the latest when a value reaches it', async () => {
  const late = async (): Promise<{ value: string }> => ({ value: '' })
  const always: Schema<string> = { '~standard': { version: 1, vendor: 'demo', validate: late } }
  await assert.rejects(testKernel({ points: [defineProvider('demo.slow', { say: unary(always, text) })] }), {
    code: 'POINT_SCHEMA_ASYNC',
  })
  const sometimes: Schema<string> = {
    '~standard': { version: 1, vendor: 'demo', validate: (value) => (value === 'x' ? late() : { value: String(value) }) },
  }
  const point = defineProvider('demo.slow', { say: unary(text, sometimes) })
  const plugin = {
    manifest: { id: 'demo/slow', contributes: { 'demo.slow': { it: {} } } },
    setup: (scope: Scope) => scope.provide(point, 'it', { say: (value) => value }),
  }
  await using t = await testKernel({ points: [point], plugins: [plugin] })
  assert.equal(await t.kernel.provider(point, 'it').say('a'), 'a')
  await assert.rejects(t.kernel.provider(point, 'it').say('x'), { code: 'POINT_SCHEMA_ASYNC' })
})

test('asking for a point the host does not have names the nearest one', async () => {
  await using t = await testKernel({ points })
  const wrong = defineProvider('demo.ecco', { say: unary(text, text) })
  assert.throws(() => t.kernel.provider(wrong, 'x'), { code: 'POINT_UNKNOWN', message: /did you mean "demo\.echo"/ })
})

test('a client is a closed object: frozen, without a prototype, never a thenable', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  const client = t.kernel.provider(echo, 'echo')
  assert.ok(Object.isFrozen(client))
  assert.equal(Object.getPrototypeOf(client), null)
  assert.deepEqual(Object.keys(client).toSorted(), ['count', 'has', 'quick', 'say', 'whisper'])
  assert.equal(await (async () => client)(), client)
})

test('disposing stops plugins before what they need, runs cleanups, and can be done twice', async () => {
  const order: string[] = []
  const named = (id: string, dependencies: readonly string[]) => ({
    manifest: { id, activation: 'eager', dependencies: dependencies.map((other) => ({ id: other, range: '*' })) },
    setup: (scope: Scope) => {
      order.push(`start ${id}`)
      scope.defer(() => void order.push(`stop ${id}`))
    },
  })
  const t = await testKernel({ plugins: [named('a/top', ['a/mid']), named('a/mid', ['a/base']), named('a/base', [])] })
  await t.kernel[Symbol.asyncDispose]()
  await t.kernel[Symbol.asyncDispose]()
  const expected = ['start a/base', 'start a/mid', 'start a/top', 'stop a/top', 'stop a/mid', 'stop a/base']
  assert.deepEqual(order, expected)
  await assert.rejects(t.kernel.plugins.refresh(), { code: 'KERNEL_STOPPING' })
})

test('a kernel that is stopping refuses new calls and lets running ones finish', async () => {
  const release = Promise.withResolvers<string>()
  const t = await testKernel({ points, plugins: [echoPlugin({ say: () => release.promise })] })
  const client = t.kernel.provider(echo, 'echo')
  const running = client.say('x')
  await t.event('plugin.changed', ({ to }) => to === 'active')
  const stopped = t.kernel[Symbol.asyncDispose]()
  await assert.rejects(client.say('y'), { code: 'KERNEL_STOPPING' })
  release.resolve('finished')
  assert.equal(await running, 'finished')
  await stopped
})

test('calls that do not finish within the drain time are aborted when the kernel stops', async () => {
  const plugins = [echoPlugin({ say: () => new Promise(() => undefined) })]
  const t = await testKernel({ points, plugins, limits: { timeoutMs: 60_000 } })
  const running = t.kernel.provider(echo, 'echo').say('x', { deadlineMs: 1e9 })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  const stopped = t.kernel[Symbol.asyncDispose]()
  const refused = assert.rejects(running, { code: 'CALL_DRAINED', message: /the host is stopping/ })
  await t.clock.advance(30_000)
  await refused
  await stopped
})

test('a kernel that cannot be made leaves nothing behind', async () => {
  let disposed = 0
  const runtime = inlineRuntime()
  const watched = { ...runtime, [Symbol.asyncDispose]: async () => void (disposed += 1) }
  const host = { name: 'test-host', api: '1.0.0' }
  const clock = fakeClock()
  const abortingSource = {
    ...inlineSource(),
    list: () => {
      throw new Error('broken')
    },
  }
  await using kernel = await createKernel({ host, points: [], sources: [abortingSource], runtimes: [watched], clock })
  assert.deepEqual(kernel.report.plugins, [])
  await kernel[Symbol.asyncDispose]()
  assert.equal(disposed, 1)
})
