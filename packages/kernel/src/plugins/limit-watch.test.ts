import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  inlineRuntime,
  inlineSource,
  testKernel,
  type InlineRuntime,
  type TestKernel,
  type TestKernelOptions,
} from '@backplane/testing'
import { asIfConfined } from '../fixtures/as-if-confined.ts'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import type { ReportedViolation, Runtime, Usage } from '../index.ts'
import { startingWith } from '../fixtures/starting-with.ts'

const mebibyte = 1024 ** 2

interface Watched {
  readonly t: TestKernel
  readonly runtime: InlineRuntime
  readonly told: readonly ReportedViolation[]
  /** Lets the plugin use this, and the kernel look so many times. */
  readonly use: (usage: Partial<Usage>, looks?: number) => Promise<void>
}

/** A kernel whose one plugin runs as if in a process of its own. */
async function watched(options: TestKernelOptions = {}): Promise<Watched & AsyncDisposable> {
  const runtime = inlineRuntime()
  const told: ReportedViolation[] = []
  const onViolation = (violation: ReportedViolation): void => void told.push(violation)
  const t = await testKernel({ points, plugins: [echoPlugin()], runtimes: [asIfConfined(runtime)], onViolation, ...options })
  await t.kernel.provider(echo, 'echo').say('x')
  const use: Watched['use'] = async (usage, looks = 1) => {
    runtime.use('demo/echo', usage)
    await t.clock.advance(looks * 1_000)
  }
  return { t, runtime, told, use, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() }
}

/** A runtime whose plugins never answer this. */
function silent(question: 'usage' | 'ping' = 'usage'): Runtime {
  const never = (): Promise<never> => new Promise(() => undefined)
  return startingWith(asIfConfined(inlineRuntime()), async (request, start) =>
    Object.defineProperty(await start(request), question, { value: never }),
  )
}

test('a plugin that holds more memory than it may is ended within a second, named, and the next call starts it again', async () => {
  await using w = await watched({ limits: { memoryMiB: 100 } })
  await w.use({ memoryBytes: 100 * mebibyte })
  assert.deepEqual(w.told, [], 'at its limit it is not over it')
  await w.use({ memoryBytes: 101 * mebibyte })
  const detail = 'held 101 MiB of 100 MiB'
  const { limit, action, count } = await w.t.event('limit.exceeded')
  assert.deepEqual([limit, action, count], ['memory', 'restart', 1])
  assert.deepEqual((await w.t.event('plugin.exited')).cause, { kind: 'memory', detail, lastLines: [] })
  const violation = { kind: 'limit', limit: 'memory', detail } as const
  assert.deepEqual(w.told, [{ plugin: 'demo/echo', generation: 1, violation, count: 1, action: 'restart' }])
  const record = w.t.kernel.plugins.get('echo')
  assert.deepEqual([record?.state.name, record?.violations, record?.usage], ['stopped', { memory: 1 }, undefined])
  assert.equal(await w.t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
  assert.equal(w.runtime.running().length, 1, 'the one that went over runs no more')
})

test('one that its tier ended for its memory counts the same, and keeps what the tier says', async () => {
  await using w = await watched()
  w.runtime.crash('demo/echo', { kind: 'memory', detail: 'heap out of memory', lastLines: ['FATAL'] })
  const { limit, detail, action } = await w.t.event('limit.exceeded')
  assert.deepEqual([limit, detail, action], ['memory', 'heap out of memory', 'restart'])
  const { lastExit, violations } = w.t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([lastExit?.cause.kind === 'memory' && lastExit.cause.lastLines, violations], [['FATAL'], { memory: 1 }])
  assert.equal(w.t.events().filter(({ type }) => type === 'plugin.exited').length, 1)
})

test('one that its tier ended for going over another limit is told by that limit’s name, and what is to follow follows', async () => {
  await using w = await watched({ onLimit: { output: 'quarantine' } })
  w.runtime.crash('demo/echo', { kind: 'limit', limit: 'output', detail: 'it flooded its host', lastLines: [] })
  const { limit, detail, action } = await w.t.event('limit.exceeded')
  assert.deepEqual([limit, detail, action], ['output', 'it flooded its host', 'quarantine'])
  const { state, violations } = w.t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([state?.name, violations], ['quarantined', { output: 1 }])
})

test('calls in a plugin that is ended for its memory are told so', async () => {
  const plugin = echoPlugin({ say: (value) => (value === 'x' ? value : new Promise(() => undefined)) })
  await using w = await watched({ plugins: [plugin] })
  const running = assert.rejects(w.t.kernel.provider(echo, 'echo').say('y'), { code: 'PLUGIN_EXITED', message: /out of memory/ })
  await w.use({ memoryBytes: 9_999 * mebibyte })
  await running
})

test('a share of a processor is measured between two looks, and by default only told', async () => {
  await using w = await watched({ limits: { cpuPercent: 50 } })
  await w.use({ cpuMs: 1_000 })
  await w.use({ cpuMs: 1_500 })
  assert.deepEqual(w.told, [])
  await w.use({ cpuMs: 2_100 })
  assert.equal((await w.t.event('limit.exceeded')).detail, 'used 60 of 50 % of a processor')
  assert.equal(w.t.kernel.plugins.get('echo')?.usage?.cpuPercent, 60)
  assert.equal(w.t.kernel.plugins.get('echo')?.state.name, 'active')
})

test('what follows is the word of the plugin’s settings, then the host’s, then the default', async () => {
  const settings = { onLimit: { processes: 'quarantine' } } as const
  await using w = await watched({
    limits: { processes: 5, openFiles: 10 },
    settings: () => settings,
    onLimit: { processes: 'warn', 'open-files': 'restart' },
  })
  await w.use({ openFiles: 11 })
  assert.equal((await w.t.event('limit.exceeded')).action, 'restart')
  await w.t.kernel.provider(echo, 'echo').say('x')
  await w.use({ openFiles: 1, processes: 6 })
  assert.equal((await w.t.event('limit.exceeded', ({ limit }) => limit === 'processes')).action, 'quarantine')
  assert.equal(w.t.kernel.plugins.get('echo')?.state.name, 'quarantined')
  await assert.rejects(w.t.kernel.provider(echo, 'echo').say('x'), {
    code: 'PLUGIN_UNAVAILABLE',
    message: /processes: had 6 of 5/,
  })
})

test('a violation is counted each time and told once a second, with how many it stands for', async () => {
  await using w = await watched()
  const violation = { kind: 'limit', limit: 'output', detail: 'wrote too much' } as const
  for (let time = 0; time < 1_000; time += 1) w.runtime.violate('demo/echo', violation)
  await w.t.clock.advance(1_000)
  assert.deepEqual(
    w.told.map(({ count, action }) => [count, action]),
    [
      [1, 'warn'],
      [999, 'warn'],
    ],
  )
  assert.deepEqual(w.t.kernel.plugins.get('echo')?.violations, { output: 1_000 })
  for (let second = 0; second < 10; second += 1) {
    w.runtime.violate('demo/echo', violation)
    await w.t.clock.advance(500)
    w.runtime.violate('demo/echo', violation)
    await w.t.clock.advance(500)
  }
  assert.equal(w.t.events().filter(({ type }) => type === 'limit.exceeded').length, 12)
  await w.t.clock.advance(60_000)
  w.runtime.violate('demo/echo', violation)
  assert.equal(w.told.at(-1)?.count, 1, 'after a quiet time it is told at once')
})

test('one that tries ever new things it was not granted fills no log', async () => {
  await using w = await watched()
  for (let time = 0; time < 1_000; time += 1)
    w.runtime.violate('demo/echo', { kind: 'grant', permission: `net:connect host-${time}:80`, detail: 'refused' })
  assert.equal(w.t.events().filter(({ type }) => type === 'grant.denied').length, 16)
  assert.equal(w.t.kernel.plugins.get('echo')?.denials, 1_000)
  assert.equal(w.told[0]?.action, undefined)
})

test('a callback that throws is not the kernel’s end', async () => {
  await using w = await watched({ onViolation: () => assert.fail('no') })
  w.runtime.violate('demo/echo', { kind: 'limit', limit: 'tmp', detail: 'full' })
  assert.equal((await w.t.event('limit.exceeded')).action, 'restart')
  assert.match(w.t.lines.map(({ message }) => message).join('\n'), /onViolation threw: no/)
})

test('an event loop that stood still, or stands still, for too long ends its plugin', async () => {
  const hang: TestKernelOptions = { limits: { stallMs: 5_000 } }
  await using stood = await watched(hang)
  await stood.use({ stallMs: 5_001 })
  assert.equal((await stood.t.event('plugin.exited')).cause.kind, 'hang')

  await using stands = await watched({ ...hang, runtimes: [silent()] })
  await stands.t.clock.advance(5_000)
  assert.deepEqual(stands.told, [], 'not yet')
  await stands.t.clock.advance(1_000)
  assert.equal((await stands.t.event('limit.exceeded')).detail, 'did not answer for 5000 of 5000 ms')
})

test('one that stands still between two samples is found out within the second after its limit', async () => {
  await using w = await watched({ limits: { stallMs: 5_000 }, runtimes: [silent('ping')] })
  await w.t.clock.advance(5_250)
  assert.deepEqual(w.told, [], 'not yet')
  await w.t.clock.advance(250)
  assert.equal((await w.t.event('limit.exceeded')).limit, 'stall')
})

test('a host that stood still itself blames nobody', async () => {
  await using w = await watched({ runtimes: [silent()] })
  const { clock } = w.t
  const { now } = clock
  await clock.advance(2_000)
  Object.defineProperty(clock, 'now', { value: () => now() + 3_600_000 })
  await clock.advance(2_000)
  assert.deepEqual([w.told, w.t.kernel.plugins.get('echo')?.state.name], [[], 'active'])
})

test('what the trusted tier uses is not asked: it is the host’s own', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()], limits: { memoryMiB: 1 } })
  await t.kernel.provider(echo, 'echo').say('x')
  t.runtime.use('demo/echo', { memoryBytes: 1e12 })
  await t.clock.advance(10_000)
  assert.deepEqual([t.kernel.plugins.get('echo')?.state.name, t.kernel.plugins.get('echo')?.usage], ['active', undefined])
})

test('too many calls at once, or too much state, is refused and counts as a violation', async () => {
  const plugin = echoPlugin({ say: () => new Promise(() => undefined) })
  const written = Promise.withResolvers<unknown>()
  const setup: typeof plugin.setup = (scope) => {
    scope.state.set('k', 'x'.repeat(100)).catch(written.resolve)
    return plugin.setup?.(scope)
  }
  await using t = await testKernel({
    points,
    plugins: [{ ...plugin, setup }],
    limits: { concurrency: 1, queue: 0, stateBytes: 10 },
  })
  const client = t.kernel.provider(echo, 'echo')
  const stop = new AbortController()
  client.say('x', { signal: stop.signal }).catch(() => undefined)
  assert.match(String(await written.promise), /10 are allowed/)
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  await assert.rejects(client.say('y'), { code: 'CALL_QUEUE_FULL' })
  assert.deepEqual(t.kernel.plugins.get('echo')?.violations, { state: 1, concurrency: 1 })
  assert.deepEqual([(await t.event('limit.exceeded', ({ limit }) => limit === 'concurrency')).action], ['refuse'])
  stop.abort()
})

test('a generation that only finishes its work is held to its limits too, and the one that serves is not touched', async () => {
  const runtime = inlineRuntime()
  const old = echoPlugin({ say: (value) => (value === 'x' ? value : new Promise(() => undefined)) })
  await using w = await watched({ plugins: [old], runtimes: [asIfConfined(runtime)], times: { probationMs: 0 } })
  const running = assert.rejects(w.t.kernel.provider(echo, 'echo').say('long'), { code: 'PLUGIN_EXITED' })
  runtime.use('demo/echo', { memoryBytes: 9_999 * mebibyte })
  w.t.source.put(echoPlugin({ version: '2.0.0' }))
  await w.t.kernel.plugins.refresh()
  await w.t.clock.advance(1_000)
  await running
  assert.equal((await w.t.event('limit.exceeded')).generation, 1)
  const { state, generation } = w.t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([state?.name, generation, runtime.running().map(({ version }) => version)], ['active', 2, ['2.0.0']])
})

test('the host’s ceilings may differ by where a plugin comes from', async () => {
  const sources = [
    inlineSource([echoPlugin()]),
    inlineSource([echoPlugin({ id: 'acme/outside' })], { name: 'outside', origin: 'external' }),
  ]
  const limits = ({ origin }: { origin: string }): object => (origin === 'external' ? { memoryMiB: 64 } : {})
  await using t = await testKernel({ points, sources, limits, policy: { tier: () => 'trusted' } })
  for (const name of ['echo', 'outside']) await t.kernel.provider(echo, name).say('x')
  assert.equal(t.kernel.plugins.get('outside')?.limits?.memoryMiB, 64)
  assert.equal(t.kernel.plugins.get('echo')?.limits?.memoryMiB, 256)
})

test('one that its tier ended for its memory goes where the host wants those that hold too much', async () => {
  for (const [memory, state] of [
    ['quarantine', 'quarantined'],
    ['restart', 'stopped'],
  ] as const) {
    await using watch = await watched({ onLimit: { memory } })
    watch.runtime.crash('demo/echo', { kind: 'memory', detail: 'held 300 MiB of 256 MiB', lastLines: [] })
    const { action } = await watch.t.event('limit.exceeded')
    assert.deepEqual([action, watch.t.kernel.plugins.get('echo')?.state.name], [memory, state])
  }
})

test('a plugin that does not run uses nothing', async () => {
  await using w = await watched()
  await w.use({ memoryBytes: 100 * mebibyte })
  assert.equal(w.t.kernel.plugins.get('echo')?.usage?.memoryBytes, 100 * mebibyte)
  const { usage, health } = await w.t.kernel.plugins.disable('echo')
  assert.deepEqual([usage, health], [undefined, undefined])
})

test('a generation that does not serve any more is only ended, and that is what is told', async () => {
  const called = Promise.withResolvers<void>()
  const never = (): Promise<never> => (called.resolve(), new Promise<never>(() => undefined))
  await using t = await testKernel({ points, plugins: [echoPlugin({ say: never })], onLimit: { tmp: 'quarantine' } })
  const running = assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'PLUGIN_EXITED' })
  await called.promise
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'tmp', detail: 'full' }, 1)
  await running
  assert.equal((await t.event('limit.exceeded')).action, 'restart')
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
})

test('the longest stall is remembered for ten minutes, with its time, though the plugin does well since', async () => {
  await using w = await watched()
  const worst = (): readonly [number, number] | undefined => {
    const mark = w.t.kernel.plugins.get('demo/echo')?.worstStall
    return mark === undefined ? undefined : [mark.ms, w.t.clock.now() - mark.atMs]
  }
  await w.use({ stallMs: 800 })
  await w.use({ stallMs: 1_500 })
  await w.use({ stallMs: 0 }, 590)
  assert.deepEqual(worst(), [1_500, 590_000])
  await w.use({ stallMs: 3 }, 20)
  assert.equal(worst()?.[0], 3)
})

test('a look right after one that was answered late says nothing of the share of a processor', async () => {
  const late = Promise.withResolvers<Partial<Usage>>()
  const answers = [Promise.resolve({ cpuMs: 0 }), late.promise, Promise.resolve({ cpuMs: 700 }), Promise.resolve({ cpuMs: 800 })]
  const runtime = startingWith(asIfConfined(inlineRuntime()), async (request, start) =>
    Object.defineProperty(await start(request), 'usage', { value: () => answers.shift() ?? new Promise(() => undefined) }),
  )
  await using t = await testKernel({ points, plugins: [echoPlugin()], runtimes: [runtime] })
  await t.kernel.provider(echo, 'echo').say('x')
  const share = (): number | undefined => t.kernel.plugins.get('echo')?.usage?.cpuPercent
  await t.clock.advance(2_900)
  late.resolve({ cpuMs: 700 })
  await late.promise
  await t.clock.advance(0)
  assert.equal(share(), 37)
  await t.clock.advance(100)
  assert.equal(share(), 37, 'a tenth of a second is no second')
  await t.clock.advance(1_000)
  assert.equal(share(), 9)
})
