import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points, type EchoParts } from '../fixtures/demo-points.ts'
import { lively, update, updateHanging } from '../fixtures/lively-plugin.ts'

const windowMs = 60_000

/** A kernel whose echo plugin serves as 1.0.0, after `calls` calls. */
async function serving(parts: EchoParts = {}, calls = 0, options = {}): Promise<TestKernel> {
  const t = await testKernel({
    points,
    plugins: [echoPlugin(parts)],
    limits: { timeoutMs: 60_000 },
    times: { probationMs: windowMs },
    ...options,
  })
  await say(t)
  await Promise.all(Array.from({ length: calls }, () => say(t)))
  return t
}

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
const generations = (t: TestKernel): readonly number[] => t.runtime.running().map(({ generation }) => generation)

async function assertMovedBack(t: TestKernel, reason: string, evidence: RegExp): Promise<void> {
  const moved = await t.event('plugin.moved-back')
  assert.deepEqual([moved.from, moved.to, moved.reason], ['2.0.0', '1.0.0', reason])
  assert.match(moved.evidence, evidence)
  assert.equal(await say(t), '1.0.0 x')
  const record = t.kernel.plugins.get('echo')
  assert.deepEqual([record?.state.name, record?.version, record?.update?.version], ['active', '1.0.0', '2.0.0'])
  assert.deepEqual([record?.update?.failure.stage, record?.update?.failure.code], ['probation', 'UPDATE_MOVED_BACK'])
  assert.match(record?.update?.failure.message ?? '', evidence)
  assert.equal(record?.probation, undefined)
  assert.deepEqual((await t.kernel.plugins.refresh()).updated, [], 'it is not tried again by itself')
}

test('a new version that does well stays, and the old one is kept warm only as long as the probation lasts', async () => {
  await using t = await serving()
  await update(t, echoPlugin({ version: '2.0.0' }))
  const { generation, version, untilMs = 0 } = t.kernel.plugins.get('echo')?.probation ?? {}
  assert.deepEqual([generation, version], [1, '1.0.0'])
  assert.ok(untilMs > t.clock.now() && untilMs <= t.clock.now() + windowMs)
  await t.event('plugin.drained')
  assert.deepEqual(t.kernel.plugins.get('echo')?.draining, [])
  assert.deepEqual(generations(t), [1, 2])
  for (let second = 0; second < 60; second += 1) {
    assert.equal(await say(t), '2.0.0 x')
    await t.clock.advance(1_000)
  }
  const proved = await t.event('plugin.proved')
  assert.deepEqual([proved.version, proved.generation], ['2.0.0', 2])
  await t.clock.advance(1)
  assert.deepEqual(generations(t), [2])
  assert.equal(t.kernel.plugins.get('echo')?.probation, undefined)
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  assert.equal(await say(t), '2.0.0 x', 'after its probation an end is only an end')
})

test('a new version that ends is moved back by itself at once; no other call fails', async () => {
  await using t = await serving()
  const hang = Promise.withResolvers<string>()
  await update(t, echoPlugin({ version: '2.0.0', say: () => hang.promise }))
  const lost = assert.rejects(say(t), { code: 'PLUGIN_EXITED' })
  await t.clock.advance(1)
  t.runtime.crash('demo/echo', { kind: 'exit', code: 1, lastLines: [] }, 2)
  await lost
  await assertMovedBack(t, 'ended', /exited with code 1/)
  assert.equal(t.kernel.plugins.get('echo')?.generation, 2, 'nothing had to be started')
})

test('when the warm generation has ended too, a fresh one of the old bytes serves', async () => {
  await using t = await serving()
  await update(t, echoPlugin({ version: '2.0.0' }))
  t.runtime.crash('demo/echo', { kind: 'exit', code: 1, lastLines: [] }, 1)
  await t.event('plugin.exited')
  t.runtime.crash('demo/echo', { kind: 'exit', code: 2, lastLines: [] }, 2)
  await assertMovedBack(t, 'ended', /exited with code 2/)
  assert.equal(t.kernel.plugins.get('echo')?.generation, 3)
})

test('when only the warm generation has ended, the worse one serves until a fresh one of the old bytes can', async () => {
  await using t = await serving({}, 20, { supervision: { breakerFailures: 6 } })
  await update(t, echoPlugin({ version: '2.0.0', say: (value) => (value === 'x' ? 42 : value) }))
  t.runtime.crash('demo/echo', undefined, 1)
  await t.event('plugin.exited')
  const client = t.kernel.provider(echo, 'echo')
  await Promise.allSettled(Array.from({ length: 5 }, () => say(t)))
  assert.match(await client.say('y'), /y$/)
  await assertMovedBack(t, 'faults', /5 of 5/)
  assert.equal(t.kernel.plugins.get('echo')?.generation, 3)
})

test('a warm generation takes over without a start', async () => {
  await using t = await serving()
  await update(
    t,
    lively({ version: '2.0.0' }, (scope) => scope.health(() => assert.fail(unhealthy ? 'gone' : ''))),
  )
  assert.equal(t.kernel.plugins.get('echo')?.version, '1.0.0', 'it says that it is not healthy and never takes over')
  let unhealthy = false
  await update(
    t,
    lively({ version: '2.0.0' }, (scope) => scope.health(() => assert.ok(!unhealthy, 'the backend is gone'))),
  )
  assert.equal(await say(t), '2.0.0 x')
  unhealthy = true
  await t.clock.advance(1_000)
  assert.equal(await say(t), '2.0.0 x', 'one failed check is not enough')
  await t.clock.advance(1_000)
  await assertMovedBack(t, 'unhealthy', /failed 2 times in a row: the backend is gone/)
  const state = t.kernel.plugins.get('echo')?.state
  assert.equal(state?.name === 'active' && state.generation, 1)
  await t.clock.advance(1)
  assert.deepEqual(generations(t), [1])
})

test('a new version whose check hangs in its probation is moved back', async () => {
  await using t = await serving({}, 1, { times: { probationMs: windowMs, proveMs: 500 } })
  let hangs = false
  const check = (): Promise<void> => (hangs ? new Promise(() => undefined) : Promise.resolve())
  await update(
    t,
    lively({ version: '2.0.0' }, (scope) => scope.health(check)),
  )
  hangs = true
  await t.clock.advance(10_000)
  await assertMovedBack(t, 'unhealthy', /did not come within 500 ms/)
})

test('a new version that never proves itself never takes over, and the old one serves on', async () => {
  const hanging = [
    [lively({ version: '2.0.0' }, (scope) => scope.health(() => new Promise(() => undefined))), 'UPDATE_NOT_PROVEN'],
    [{ ...echoPlugin({ version: '2.0.0' }), setup: () => new Promise<void>(() => undefined) }, 'PLUGIN_NOT_READY'],
    [lively({ version: '2.0.0' }, (scope) => scope.health(() => assert.fail('no disk'))), 'UPDATE_NOT_PROVEN'],
  ] as const
  for (const [plugin, code] of hanging) {
    await using t = await serving()
    await updateHanging(t, plugin)
    assert.equal(await say(t), '1.0.0 x')
    assert.equal(t.kernel.plugins.get('echo')?.update?.failure.code, code)
    assert.deepEqual(generations(t), [1])
  }
})

test('a new version that answers wrongly is moved back after a few calls', async () => {
  await using t = await serving({}, 50)
  await update(t, echoPlugin({ version: '2.0.0', say: () => 42 }))
  const failed = []
  for (let at = 0; at < 10; at += 1) failed.push(...(await Promise.allSettled([say(t)])))
  assert.equal(failed.filter(({ status }) => status === 'rejected').length, 5)
  await assertMovedBack(t, 'faults', /5 of 5 calls failed \(100\.0 %\); of the version before 0\.0 % did/)
})

test('a version that fails no more often than the one before it stays', async () => {
  const half = (version: string): EchoParts => {
    let calls = 0
    return { version, say: () => ((calls += 1), calls % 2 === 0 ? assert.fail('every second call') : version) }
  }
  await using t = await testKernel({ points, plugins: [echoPlugin(half('1.0.0'))], times: { probationMs: windowMs } })
  const calls = (): Promise<unknown> => Promise.allSettled(Array.from({ length: 40 }, () => say(t)))
  await calls()
  await update(t, echoPlugin(half('2.0.0')))
  await calls()
  await t.clock.advance(windowMs)
  await t.event('plugin.proved')
  assert.equal(t.kernel.plugins.get('echo')?.version, '2.0.0')
})

test('a caller who asks for what a point does not take, or cancels, does not count against a version', async () => {
  await using t = await serving({}, 50)
  await update(t, echoPlugin({ version: '2.0.0', say: () => new Promise(() => undefined) }))
  const client = t.kernel.provider(echo, 'echo')
  const calls = Array.from({ length: 20 }, () => client.say('x', { signal: AbortSignal.abort() }))
  const wrong = Array.from({ length: 20 }, () => client.say(42 as never))
  await Promise.allSettled([...calls, ...wrong])
  const leaving = new AbortController()
  const cancelled = Array.from({ length: 20 }, () => client.say('x', { signal: leaving.signal }))
  await t.clock.advance(1)
  leaving.abort()
  await Promise.allSettled(cancelled)
  await t.clock.advance(windowMs)
  await t.event('plugin.proved')
})

/** Latencies are read from a clock that stands still but for what a test adds to it, ms. */
function standingClock(t: TestContext): (addMs: number) => void {
  let nowMs = 1_000
  t.mock.method(performance, 'now', () => nowMs)
  return (addMs) => void (nowMs += addMs)
}

test('a new version that is ten times slower is moved back, and one that is a little slower stays', async (context) => {
  const pass = standingClock(context)
  const taking = (version: string, ms: number): EchoParts => ({ version, say: (value) => (pass(ms), `${version} ${value}`) })
  const sayInTurn = async (t: TestKernel, version: string): Promise<void> => {
    for (let call = 0; call < 120; call += 1) assert.equal(await say(t), `${version} x`)
  }
  for (const [ms, isWorse] of [
    [60, true],
    [8, false],
  ] as const) {
    await using t = await serving(taking('1.0.0', 4), 0, { probation: { slowerFloorMs: 10 } })
    await sayInTurn(t, '1.0.0')
    await update(t, echoPlugin(taking('2.0.0', ms)))
    await sayInTurn(t, '2.0.0')
    await t.clock.advance(1_000)
    if (isWorse) await assertMovedBack(t, 'slow', /99 of 100 calls take up to [0-9.]+ ms, [0-9.]+ ms in the version before/)
    else assert.equal(t.kernel.plugins.get('echo')?.version, '2.0.0')
  }
})

test('calls that do not come back count with the time they have taken so far', async (context) => {
  const pass = standingClock(context)
  await using t = await serving({}, 100, { probation: { slowerFloorMs: 20 } })
  const release = Promise.withResolvers<string>()
  await update(t, echoPlugin({ version: '2.0.0', say: () => release.promise }))
  const calls = Array.from({ length: 100 }, () => say(t))
  pass(60)
  await t.clock.advance(1_000)
  await assertMovedBack(t, 'slow', /99 of 100/)
  release.resolve('late, but not lost')
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(['late, but not lost']))
})

test('a new version that holds far more memory is moved back, one that holds a little more stays', async () => {
  for (const [memoryMiB, isWorse] of [
    [400, true],
    [110, false],
  ] as const) {
    await using t = await serving()
    t.runtime.use('demo/echo', { memoryBytes: 100 * 1024 ** 2 })
    await update(t, echoPlugin({ version: '2.0.0' }))
    t.runtime.use('demo/echo', { memoryBytes: memoryMiB * 1024 ** 2 })
    await t.clock.advance(2_000)
    if (isWorse) await assertMovedBack(t, 'memory', /400\.0 MiB, 100\.0 MiB/)
    else assert.equal(t.kernel.plugins.get('echo')?.version, '2.0.0')
  }
})

test('a new version that goes over a limit the old one kept is moved back', async () => {
  await using t = await serving()
  await update(t, echoPlugin({ version: '2.0.0' }))
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'open-files', detail: 'held 300 of 256' }, 2)
  await assertMovedBack(t, 'limit', /limit of open-files: held 300 of 256/)
})

test('figures that the host gives count instead of the usual ones', async () => {
  await using t = await serving({}, 10, { probation: { leastFaults: 1, faultPercent: 50, lookMs: 100, failedLooks: 1 } })
  let healthy = true
  const broken = lively({ version: '2.0.0' }, (scope) => scope.health(() => assert.ok(healthy, 'no')))
  await update(t, broken)
  healthy = false
  await t.clock.advance(100)
  await assertMovedBack(t, 'unhealthy', /failed 1 times/)
})

test('with a probation of no time nothing is kept warm and nothing is moved back', async () => {
  await using t = await serving({}, 50, { times: { probationMs: 0 }, supervision: { breakerFailures: 1_000, breakerRatio: 2 } })
  await update(t, echoPlugin({ version: '2.0.0', say: () => 42 }))
  await t.event('plugin.drained')
  await t.clock.advance(1)
  assert.deepEqual(generations(t), [2])
  for (let at = 0; at < 20; at += 1) await assert.rejects(say(t), { code: 'CALL_OUTPUT_INVALID' })
})

test('the old generation can take calls again while it still finishes its own', async () => {
  const release = Promise.withResolvers<string>()
  await using t = await serving({ say: (value) => (value === 'long' ? release.promise : `1.0.0 ${value}`) }, 10)
  const long = t.kernel.provider(echo, 'echo').say('long')
  await update(t, echoPlugin({ version: '2.0.0', say: () => 42 }))
  assert.equal(t.kernel.plugins.get('echo')?.draining.length, 1)
  for (let at = 0; at < 5; at += 1) await assert.rejects(say(t), { code: 'CALL_OUTPUT_INVALID' })
  await assertMovedBack(t, 'faults', /5 of 5/)
  await t.clock.advance(31_000)
  release.resolve('ended where it began')
  assert.equal(await long, 'ended where it began', 'back in service it is not drained any more')
  assert.deepEqual(generations(t), [1])
})

test('a limit that the old version went over too says nothing against the new one', async () => {
  await using t = await serving()
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'output', detail: 'wrote a lot' })
  await update(t, echoPlugin({ version: '2.0.0' }))
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'output', detail: 'wrote a lot' }, 2)
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'concurrency', detail: 'callers want much' }, 2)
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'cpu', detail: 'it has just started' }, 2)
  await t.clock.advance(windowMs)
  await t.event('plugin.proved')
})

test('a third version ends the probation of the second, which is then the one kept warm', async () => {
  await using t = await serving()
  await update(t, echoPlugin({ version: '2.0.0' }))
  await update(t, echoPlugin({ version: '3.0.0', say: () => 42 }))
  await t.clock.advance(1)
  assert.deepEqual(generations(t), [2, 3])
  assert.equal(t.kernel.plugins.get('echo')?.probation?.version, '2.0.0')
  for (let at = 0; at < 5; at += 1) await assert.rejects(say(t), { code: 'CALL_OUTPUT_INVALID' })
  assert.equal(await say(t), '2.0.0 x')
})

test('a plugin that is switched off or removed in its probation leaves nothing running', async () => {
  for (const leave of ['disable', 'remove'] as const) {
    await using t = await serving()
    await update(t, echoPlugin({ version: '2.0.0' }))
    await t.kernel.plugins[leave]('echo')
    assert.deepEqual(generations(t), [])
    await t.clock.advance(windowMs)
    assert.deepEqual(
      t.events().filter(({ type }) => type === 'plugin.proved' || type === 'plugin.moved-back'),
      [],
    )
  }
})

test('a host that stops does not wait for a probation', async () => {
  const t = await serving()
  await update(t, echoPlugin({ version: '2.0.0' }))
  await t.kernel[Symbol.asyncDispose]()
  assert.deepEqual(generations(t), [])
  assert.equal(t.clock.pending(), 0)
})

test('a secret that a health check throws is in no record, event or line', async () => {
  const secret = 'hunter2-hunter2'
  let isWell = true
  const leaking = (version: string): InlinePlugin => {
    const plugin = echoPlugin({ version })
    const setup = async (scope: Scope): Promise<void> => {
      const token = await scope.secrets.get('token')
      scope.health(() => assert.ok(isWell, `cannot log in with ${token}`))
      await plugin.setup?.(scope)
    }
    return { ...plugin, setup }
  }
  const settings = (): { config: unknown } => ({ config: { token: '${secret:token}' } })
  await using t = await serving({}, 0, { settings, secrets: { resolve: async () => secret } })
  await update(t, leaking('2.0.0'))
  assert.equal(await say(t), '2.0.0 x')
  isWell = false
  await t.clock.advance(2_000)
  await t.event('plugin.moved-back')
  await update(t, leaking('3.0.0'))
  const { update: failed } = t.kernel.plugins.get('echo') ?? {}
  assert.equal(failed?.failure.code, 'UPDATE_NOT_PROVEN')
  assert.match(failed.failure.message, /cannot log in with/)
  const seen = JSON.stringify([t.events(), t.kernel.plugins.list(), t.lines, await t.kernel.plugins.history('echo')])
  assert.ok(!seen.includes(secret))
})

test('of a version on probation that goes over a limit it is said that it was moved back, whatever else was to follow', async () => {
  for (const wanted of ['warn', 'restart', 'quarantine'] as const) {
    await using t = await serving({}, 0, { onLimit: { data: wanted, memory: wanted } })
    await update(t, echoPlugin({ version: '2.0.0' }))
    t.runtime.violate('demo/echo', { kind: 'limit', limit: 'data', detail: 'wrote a lot' }, 2)
    const { action } = await t.event('limit.exceeded')
    assert.equal(action, 'move-back')
    await assertMovedBack(t, 'limit', /limit of data: wrote a lot/)
    assert.ok(t.lines.some(({ message }) => message.endsWith('wrote a lot (move-back)')))
    await update(t, echoPlugin({ version: '2.0.1' }))
    t.runtime.crash('demo/echo', { kind: 'memory', detail: 'held too much', lastLines: [] }, 3)
    const told = await t.event('limit.exceeded', ({ limit }) => limit === 'memory')
    assert.equal(told.action, 'move-back')
    assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
  }
})

test('a limit that the version before went over too says nothing; another one does', async () => {
  await using t = await serving({}, 0, { onLimit: { data: 'warn', tmp: 'warn' } })
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'data', detail: 'wrote a lot' }, 1)
  await update(t, echoPlugin({ version: '2.0.0' }))
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'data', detail: 'wrote a lot' }, 2)
  assert.equal(await say(t), '2.0.0 x')
  t.runtime.violate('demo/echo', { kind: 'limit', limit: 'tmp', detail: 'wrote a lot there' }, 2)
  await assertMovedBack(t, 'limit', /limit of tmp/)
})
