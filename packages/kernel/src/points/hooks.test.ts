import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineHook, type HookPoint } from '@backplane/sdk'
import { testKernel, type InlinePlugin } from '@backplane/testing'
import { all, first, pipe, points, text, veto } from '../fixtures/demo-points.ts'

const handler = (id: string, point: HookPoint, answer: (value: string) => unknown, manifest: object = {}): InlinePlugin => ({
  manifest: { id, contributes: { [point.id]: { it: {} } }, ...manifest },
  setup: (scope) => scope.on(point, 'it', answer as never),
})
const fail = (): never => {
  throw new Error('broken')
}

test('pipe: the value flows through every handler and each change is attributed', async () => {
  const plugins = [
    handler('h/a', pipe, (value) => `${value}a`),
    handler('h/b', pipe, (value) => value),
    handler('h/c', pipe, () => undefined),
    handler('h/d', pipe, async (value) => `${value}d`),
  ]
  await using t = await testKernel({ points, plugins })
  const outcome = await t.kernel.emit(pipe, 'x')
  assert.equal(outcome.value, 'xad')
  assert.deepEqual(outcome.changes, [
    { plugin: 'h/a', name: 'it' },
    { plugin: 'h/d', name: 'it' },
  ])
})

test('handlers are listed in the order they run, those that cannot run last', async () => {
  const late = handler('h/a', pipe, () => undefined, { contributes: { [pipe.id]: { it: { phase: 'late' } } } })
  const old = handler('h/0', pipe, () => undefined, { requires: { api: '^9.0.0' } })
  await using t = await testKernel({ points, plugins: [late, handler('h/b', pipe, () => undefined), old] })
  const { steps } = await t.kernel.emit(pipe, 'x', { trace: true })
  const listed = t.kernel.contributions(pipe).map(({ plugin }) => plugin)
  assert.deepEqual(listed, [...(steps ?? []).map(({ plugin }) => plugin), 'h/0'])
  assert.deepEqual(listed, ['h/b', 'h/a', 'h/0'])
})

test('pipe: a handler that fails or answers nonsense fails the emit, named', async () => {
  await using failing = await testKernel({ points, plugins: [handler('h/a', pipe, fail)] })
  await assert.rejects(failing.kernel.emit(pipe, 'x'), { code: 'CALL_FAILED', plugin: 'h/a', point: 'demo.pipe' })
  await using wrong = await testKernel({ points, plugins: [handler('h/a', pipe, () => 7)] })
  await assert.rejects(wrong.kernel.emit(pipe, 'x'), { code: 'CALL_OUTPUT_INVALID', plugin: 'h/a' })
})

test('all: handlers run at once, answers are ignored, failures are told and do not hurt', async () => {
  const seen: string[] = []
  const plugins = [
    handler('h/a', all, fail),
    handler('h/b', all, (value) => seen.push(value)),
    handler('h/c', all, () => ({ any: 1 })),
  ]
  await using t = await testKernel({ points, plugins })
  const { failures } = await t.kernel.emit(all, 'x')
  assert.deepEqual(seen, ['x'])
  assert.deepEqual(
    failures.map(({ plugin, code }) => [plugin, code]),
    [['h/a', 'CALL_FAILED']],
  )
})

test('what concerns one plugin alone is told to no other, and to nobody when it has no handler', async () => {
  const seen: string[] = []
  const plugins = ['h/a', 'h/ab'].map((id) => handler(id, all, () => seen.push(id)))
  await using t = await testKernel({ points, plugins })
  const { steps } = await t.kernel.emit(all, 'x', { only: 'h/a', trace: true })
  assert.deepEqual([seen, steps?.map(({ plugin }) => plugin)], [['h/a'], ['h/a']])
  await t.kernel.emit(all, 'x', { only: 'h' })
  assert.deepEqual(seen, ['h/a'])
})

test('first: the first answer in order wins and the rest is not asked', async () => {
  const plugins = [handler('h/a', first, () => undefined), handler('h/b', first, () => 2), handler('h/c', first, fail)]
  await using t = await testKernel({ points, plugins })
  assert.equal((await t.kernel.emit(first, 'x')).answer, 2)
  await using none = await testKernel({ points })
  assert.equal((await none.kernel.emit(first, 'x')).answer, undefined)
})

test('veto: the first refusal in order is the answer, with who refused and why', async () => {
  const plugins = [
    handler('h/a', veto, () => undefined),
    handler('h/b', veto, (value) => (value === 'bad' ? { veto: 'not today' } : null)),
  ]
  await using t = await testKernel({ points, plugins })
  assert.equal((await t.kernel.emit(veto, 'good')).veto, undefined)
  assert.deepEqual((await t.kernel.emit(veto, 'bad')).veto, { plugin: 'h/b', name: 'it', reason: 'not today' })
  await using wrong = await testKernel({ points, plugins: [handler('h/a', veto, () => false)] })
  await assert.rejects(wrong.kernel.emit(veto, 'x'), { code: 'CALL_OUTPUT_INVALID' })
})

test('a handler that hangs is given up after the time the hook states', async () => {
  await using t = await testKernel({ points, plugins: [handler('h/a', pipe, () => new Promise(() => undefined))] })
  const refused = assert.rejects(t.kernel.emit(pipe, 'x'), { code: 'CALL_DEADLINE', plugin: 'h/a' })
  await t.event('plugin.changed', ({ to }) => to === 'active')
  await t.clock.advance(1_000)
  await refused
})

test('a value that does not fit is the fault of who emits', async () => {
  await using t = await testKernel({ points })
  await assert.rejects(t.kernel.emit(pipe, 1 as never), { code: 'CALL_INPUT_INVALID', message: /demo\.pipe\.emit/ })
})

test('a plugin that cannot start is passed over and told — unless it is fail-closed: then what it guards is refused', async () => {
  const broken = (criticality: string): InlinePlugin => ({
    ...handler('h/a', veto, () => undefined, { criticality }),
    setup: fail,
  })
  await using open = await testKernel({ points, plugins: [broken('optional')] })
  const { failures } = await open.kernel.emit(veto, 'x')
  assert.deepEqual(
    failures.map(({ code }) => code),
    ['PLUGIN_UNAVAILABLE'],
  )
  await using closed = await testKernel({ points, plugins: [broken('fail-closed')] })
  await assert.rejects(closed.kernel.emit(veto, 'x'), {
    code: 'PLUGIN_FAIL_CLOSED',
    plugin: 'h/a',
    message: /guards it with "it"/,
  })
})

test('fail-closed holds against a hook that skips errors, and for a plugin that never got past its check', async () => {
  const skipping = defineHook('demo.skipping', { strategy: 'all', value: text })
  const guard = handler('h/a', skipping, fail, { criticality: 'fail-closed' })
  await using throwing = await testKernel({ points: [skipping], plugins: [guard] })
  await assert.rejects(throwing.kernel.emit(skipping, 'x'), { code: 'CALL_FAILED' })
  const old = handler('h/a', skipping, () => undefined, { criticality: 'fail-closed', requires: { api: '^9.0.0' } })
  await using incompatible = await testKernel({ points: [skipping], plugins: [old] })
  await assert.rejects(incompatible.kernel.emit(skipping, 'x'), { code: 'PLUGIN_FAIL_CLOSED', message: /needs API/ })
  await incompatible.kernel.plugins.disable('h/a')
  await incompatible.kernel.emit(skipping, 'x')
})

test('while a fail-closed guard is down, whatever the reason, hooks of every strategy are refused and name it', async () => {
  const guard = (id: string, point: HookPoint<string, never>): InlinePlugin => ({
    manifest: { id, criticality: 'fail-closed', contributes: { [point.id]: { it: {} } } },
    setup: (scope) => scope.on(point, 'it', () => undefined),
  })
  const strategies = [all, pipe, first, veto] as unknown as readonly HookPoint<string, never>[]
  for (const [index, point] of strategies.entries()) {
    const id = `guards/g${index}`
    await using t = await testKernel({ points, plugins: [guard(id, point)], supervision: { crashes: 2 }, random: () => 1 })
    const refused = { code: 'PLUGIN_FAIL_CLOSED', plugin: id, point: point.id, retryable: true } as const
    await t.kernel.emit(point, 'x')
    t.runtime.crash(id)
    await t.clock.advance(1)
    await t.kernel.emit(point, 'x')
    t.runtime.crash(id)
    await t.clock.advance(1)
    await assert.rejects(t.kernel.emit(point, 'x'), { ...refused, message: /in quarantine/ })
    await t.kernel.plugins.release(id)
    await t.kernel.emit(point, 'x')
  }
})

test('a fail-closed guard that is not asked because it failed too often is down too', async () => {
  let well = false
  const guard: InlinePlugin = {
    manifest: { id: 'h/g', criticality: 'fail-closed', contributes: { 'demo.veto': { it: {} } } },
    setup: (scope) => scope.on(veto, 'it', () => (well ? undefined : assert.fail('down'))),
  }
  await using t = await testKernel({ points, plugins: [guard] })
  for (let time = 0; time < 5; time += 1) await assert.rejects(t.kernel.emit(veto, 'x'), { code: 'CALL_FAILED' })
  await assert.rejects(t.kernel.emit(veto, 'x'), {
    code: 'PLUGIN_FAIL_CLOSED',
    details: { name: 'it', code: 'CALL_BREAKER_OPEN' },
  })
  well = true
  await t.clock.advance(5_000)
  assert.equal((await t.kernel.emit(veto, 'x')).veto, undefined)
})

test('a handler of a plugin that is switched off is not part of the hook', async () => {
  await using t = await testKernel({
    points,
    plugins: [handler('h/a', pipe, (value) => `${value}a`), handler('h/b', pipe, fail)],
  })
  await t.kernel.plugins.disable('h/b')
  assert.equal((await t.kernel.emit(pipe, 'x')).value, 'xa')
})

test('cancelling an emit stops it', async () => {
  const abort = new AbortController()
  await using t = await testKernel({ points, plugins: [handler('h/a', all, () => new Promise(() => undefined))] })
  const refused = assert.rejects(t.kernel.emit(all, 'x', { signal: abort.signal }), { name: 'AbortError' })
  abort.abort()
  await refused
})

test('handlers run in the order their metadata states, whatever order they were found in', async () => {
  const at = (id: string, order: object): InlinePlugin =>
    handler(id, pipe, (value) => value + id.at(-1), { contributes: { 'demo.pipe': { it: order } } })
  const plugins = [at('h/a', { phase: 'late' }), at('h/b', { after: ['h/c'] }), at('h/c', {}), at('h/d', { phase: 'early' })]
  for (const found of [plugins, plugins.toReversed()]) {
    await using t = await testKernel({ points, plugins: found })
    assert.equal((await t.kernel.emit(pipe, '')).value, 'dcba')
  }
})

test('a handler that its plugin gives up while the emit is under way is left out', async () => {
  const entered = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const slow = handler('h/a', pipe, async (value) => {
    entered.resolve()
    await release.promise
    return `${value}a`
  })
  await using t = await testKernel({ points, plugins: [slow, handler('h/b', pipe, (value) => `${value}b`)] })
  await t.kernel.plugins.start('h/b')
  const emitted = t.kernel.emit(pipe, 'x')
  await entered.promise
  t.source.put({ manifest: { id: 'h/b', version: '2.0.0' } })
  await t.kernel.plugins.refresh()
  release.resolve()
  assert.equal((await emitted).value, 'xa')
})
