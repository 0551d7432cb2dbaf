import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError, type Call, type Progress } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'

const hang = (): Promise<never> => new Promise(() => undefined)
const kernelWith = (parts: EchoParts, options = {}): ReturnType<typeof testKernel> =>
  testKernel({ points, plugins: [echoPlugin(parts)], ...options })

test('a value the method does not take is refused before the plugin is even started', async () => {
  await using t = await kernelWith({})
  const error = await t.kernel
    .provider(echo, 'echo')
    .say(1 as never)
    .catch((thrown: unknown) => thrown)
  assert.ok(error instanceof PlatformError)
  assert.equal(error.code, 'CALL_INPUT_INVALID')
  assert.match(error.message, /demo\.echo\.say .*: \$ must be text/)
  assert.equal(t.kernel.plugins.get('demo/echo')?.state.name, 'idle')
})

test('a reply is tainted until it passes: the error names plugin, method and path', async () => {
  for (const wrong of [1, null, undefined, {}, { toString: () => 'x' }]) {
    await using t = await kernelWith({ say: () => wrong })
    await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), {
      code: 'CALL_OUTPUT_INVALID',
      plugin: 'demo/echo',
      point: 'demo.echo',
      message: /demo\/echo answered demo\.echo\.say .*: \$ must be text/,
    })
  }
})

test('what a plugin throws arrives with who, where and its own code, whatever it threw', async () => {
  const thrown: [unknown, string | undefined, RegExp][] = [
    [Object.assign(new Error('no such vm'), { code: 'VM_GONE' }), 'VM_GONE', /no such vm/],
    [new PlatformError('CLOUD_BUSY', 'busy', { retryable: true, hint: 'Wait.' }), 'CLOUD_BUSY', /busy/],
    ['a string', 'INTERNAL', /a string/],
    [undefined, 'INTERNAL', /undefined was thrown/],
    [{ toJSON: () => assert.fail() }, 'INTERNAL', /cannot be shown/],
    [new DOMException('gone', 'AbortError'), 'ABORTED', /gone/],
  ]
  for (const [value, pluginCode, message] of thrown) {
    const say = (): never => {
      throw value
    }
    await using t = await kernelWith({ say })
    const error = await t.kernel
      .provider(echo, 'echo')
      .say('x')
      .catch((caught: unknown) => caught)
    assert.ok(error instanceof PlatformError)
    assert.equal(error.code, 'CALL_FAILED')
    assert.equal(error.plugin, 'demo/echo')
    assert.equal(error.details?.['pluginCode'], pluginCode)
    assert.equal(error.details?.['method'], 'say')
    assert.match(error.message, message)
    if (pluginCode === 'CLOUD_BUSY') assert.deepEqual([error.retryable, error.hint], [true, 'Wait.'])
  }
})

test('a call that never answers ends at the earliest deadline, and the error says which one that was', async () => {
  await using t = await kernelWith({ say: hang, manifest: { limits: { timeout: '5s' } } }, { limits: { timeoutMs: 60_000 } })
  const client = t.kernel.provider(echo, 'echo')
  const expectations: [Promise<unknown>, number, RegExp][] = [
    [client.say('x', { deadlineMs: 10 }), 10, /the caller's deadline/],
    [client.quick('x'), 100, /the timeout of demo\.echo\.quick/],
    [client.say('x'), 5_000, /limits\.timeoutMs of demo\/echo/],
    [client.say('x', { deadlineMs: 9_000 }), 5_000, /limits\.timeoutMs of demo\/echo/],
  ]
  const checks = expectations.map(([call, deadlineMs, message]) =>
    assert.rejects(call, (error: PlatformError) => {
      assert.equal(error.code, 'CALL_DEADLINE')
      assert.equal(error.details?.['deadlineMs'], deadlineMs)
      assert.match(error.message, message)
      return true
    }),
  )
  await t.clock.advance(10_000)
  await Promise.all(checks)
  assert.equal(t.kernel.plugins.get('demo/echo')?.counters.active, 0)
})

test('a deadline counts while the plugin is still starting', async () => {
  const entered = Promise.withResolvers<void>()
  const setup = (): Promise<never> => {
    entered.resolve()
    return hang()
  }
  await using t = await testKernel({ points, plugins: [{ ...echoPlugin(), setup }] })
  const refused = assert.rejects(t.kernel.provider(echo, 'echo').say('x', { deadlineMs: 50 }), { code: 'CALL_DEADLINE' })
  await entered.promise
  await t.clock.advance(50)
  await refused
  await t.clock.advance(10_000)
  await t.event('plugin.changed', ({ to }) => to === 'failed')
  const state = t.kernel.plugins.get('demo/echo')?.state
  assert.equal(state?.name === 'failed' ? state.failure.code : state?.name, 'PLUGIN_NOT_READY')
})

test('cancelling rejects the caller with its reason and aborts the signal of the call', async () => {
  const seen = Promise.withResolvers<Call>()
  const say = (_: string, call: Call): Promise<never> => {
    call.signal.addEventListener('abort', () => seen.resolve(call))
    return hang()
  }
  await using t = await kernelWith({ say })
  const abort = new AbortController()
  const refused = assert.rejects(t.kernel.provider(echo, 'echo').say('x', { signal: abort.signal }), { name: 'AbortError' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1)
  abort.abort()
  await refused
  assert.equal((await seen.promise).signal.aborted, true)
  assert.equal(t.kernel.plugins.get('demo/echo')?.counters.errors, 0)
  await assert.rejects(t.kernel.provider(echo, 'echo').say('x', { signal: abort.signal }), { name: 'AbortError' })
})

test('a signal asked for only after the end is aborted already', async () => {
  let call: Call | undefined
  await using t = await kernelWith({
    say: (_, given) => {
      call = given
      return hang()
    },
  })
  const refused = assert.rejects(t.kernel.provider(echo, 'echo').say('x', { deadlineMs: 5 }), { code: 'CALL_DEADLINE' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(5)
  await refused
  assert.ok(call?.signal.aborted)
  assert.equal((call.signal.reason as Error).name, 'TimeoutError')
})

test('progress is passed on in its proper form and only while the call runs', async () => {
  const reports: Progress[] = []
  let late: Call | undefined
  const say = (value: string, call: Call): string => {
    late = call
    for (const [done, total, phase] of [[1, 2, 'copy'], [-1], ['x'], [3]] as never[][]) call.progress(done as never, total, phase)
    return value
  }
  await using t = await kernelWith({ say })
  await t.kernel.provider(echo, 'echo').say('x', { onProgress: (report) => void reports.push(report) })
  late?.progress(99)
  assert.deepEqual(reports, [{ done: 1, total: 2, phase: 'copy' }, { done: 3 }])
  const onProgress = (): never => assert.fail('listener')
  await t.kernel.provider(echo, 'echo').say('x', { onProgress })
  assert.match(t.lines.at(-1)?.message ?? '', /progress listener threw: listener/)
})

test('a call has a trace id of its own or the one it was given, and says who calls', async () => {
  const seen: [string, string][] = []
  await using t = await kernelWith({
    say: (value, call) => {
      seen.push([call.traceId, call.caller])
      return value
    },
  })
  await t.kernel.provider(echo, 'echo').say('x')
  await t.kernel.provider(echo, 'echo').say('x', { traceId: 'a'.repeat(32) })
  assert.match(seen[0]?.[0] ?? '', /^[0-9a-f]{32}$/)
  assert.deepEqual(seen[1], ['a'.repeat(32), 'host'])
})

test('calls, errors and latencies are counted per plugin', async () => {
  await using t = await kernelWith({ say: (value) => (value === 'bad' ? assert.fail('no') : value) })
  const client = t.kernel.provider(echo, 'echo')
  await Promise.allSettled(['a', 'b', 'bad'].map((value) => client.say(value)))
  const counters = t.kernel.plugins.get('demo/echo')?.counters
  assert.deepEqual([counters?.calls, counters?.errors, counters?.active, counters?.queued], [3, 1, 0, 0])
  assert.equal(counters?.latency.count, 3)
  assert.equal(counters?.latency.buckets.at(-1)?.leMs, Infinity)
  assert.equal(counters?.latency.buckets.at(-1)?.count, 3)
})

test('an optional method the plugin does not supply is known by has and refused when called', async () => {
  await using t = await kernelWith({})
  const client = t.kernel.provider(echo, 'echo')
  assert.ok(client.has('say'))
  await assert.rejects(client.whisper('x'), { code: 'CALL_METHOD_MISSING' })
  assert.ok(!client.has('whisper'))
  assert.ok(client.has('quick'))
})

test('an answer that is a thenable is the value it stands for, and one that never settles meets the deadline', async () => {
  const thenable = (then: unknown): object => Object.fromEntries([[['th', 'en'].join(''), then]])
  await using good = await kernelWith({ say: (value) => thenable((resolve: (value: string) => void) => resolve(`${value}!`)) })
  assert.equal(await good.kernel.provider(echo, 'echo').say('x'), 'x!')
  await using bad = await kernelWith({ say: () => thenable(() => undefined) })
  const refused = assert.rejects(bad.kernel.provider(echo, 'echo').say('x', { deadlineMs: 20 }), { code: 'CALL_DEADLINE' })
  await bad.clock.advance(20)
  await refused
})

test('asking for a provider nobody has names the nearest one', async () => {
  await using t = await kernelWith({})
  await assert.rejects(t.kernel.provider(echo, 'ecoh').say('x'), {
    code: 'POINT_UNKNOWN_PROVIDER',
    message: /did you mean "echo"/,
  })
  await assert.rejects(t.kernel.provider(echo, '__proto__').say('x'), { code: 'POINT_UNKNOWN_PROVIDER' })
})
