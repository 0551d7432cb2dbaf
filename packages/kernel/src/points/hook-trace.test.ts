import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineHook, type HookPoint, type Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin } from '@backplane/testing'
import { all, first, guarded, pipe, points, veto } from '../fixtures/demo-points.ts'
import type { HookStep } from '../index.ts'

const handler = (id: string, point: HookPoint, answer: (value: never) => unknown): InlinePlugin => ({
  manifest: { id, contributes: { [point.id]: { it: {} } } },
  setup: (scope) => scope.on(point, 'it', answer as never),
})
const fail = (): never => {
  throw new Error('broken')
}
/** Without times, which are as they are. */
const shown = (steps: readonly HookStep[] = []): readonly object[] =>
  steps.map(({ name, tookMs, ...step }) => {
    assert.ok(name === 'it' && tookMs >= 0 && (step.outcome !== 'skipped' || tookMs < 1_000))
    return step
  })

test('a traced pipe tells of every handler in order what it made of the value; an untraced one tells nothing', async () => {
  const plugins = [
    handler('h/a', pipe, (value) => `${String(value)}a`),
    handler('h/b', pipe, (value) => value),
    handler('h/c', pipe, () => undefined),
    handler('h/d', pipe, (value) => `${String(value)}d`),
  ]
  await using t = await testKernel({ points, plugins })
  assert.deepEqual(shown((await t.kernel.emit(pipe, 'x', { trace: true })).steps), [
    { plugin: 'h/a', outcome: 'changed', value: 'xa' },
    { plugin: 'h/b', outcome: 'unchanged' },
    { plugin: 'h/c', outcome: 'unchanged' },
    { plugin: 'h/d', outcome: 'changed', value: 'xad' },
  ])
  assert.ok(!Object.hasOwn(await t.kernel.emit(pipe, 'x'), 'steps'))
})

test('a step keeps the value as its handler left it, whatever a later one does to the very object', async () => {
  const value = guarded('must be an object', (given): given is { n: number } => typeof given === 'object')
  const counted = defineHook('demo.counted', { strategy: 'pipe', value })
  const plugins = [
    handler('h/a', counted, () => ({ n: 1 })),
    handler('h/b', counted, (given: { n: number }) => {
      given.n = 7
    }),
  ]
  await using t = await testKernel({ points: [counted], plugins })
  const { steps } = await t.kernel.emit(counted, { n: 0 }, { trace: true })
  assert.deepEqual(steps?.[0]?.value, { n: 1 })
})

test('answers, vetoes and what was not reached are told', async () => {
  const answering = [handler('h/a', first, () => undefined), handler('h/b', first, () => 2), handler('h/c', first, fail)]
  const refusing = [handler('v/a', veto, () => null), handler('v/b', veto, () => ({ veto: 'no' })), handler('v/c', veto, fail)]
  await using t = await testKernel({ points, plugins: [...answering, ...refusing] })
  assert.deepEqual(shown((await t.kernel.emit(first, 'x', { trace: true })).steps), [
    { plugin: 'h/a', outcome: 'unchanged' },
    { plugin: 'h/b', outcome: 'answered', value: 2 },
    { plugin: 'h/c', outcome: 'skipped' },
  ])
  assert.deepEqual(shown((await t.kernel.emit(veto, 'x', { trace: true })).steps), [
    { plugin: 'v/a', outcome: 'unchanged' },
    { plugin: 'v/b', outcome: 'vetoed', value: 'no' },
    { plugin: 'v/c', outcome: 'skipped' },
  ])
})

test('a handler that failed and was passed over, and one that was not even asked, carry why', async () => {
  const broken: InlinePlugin = { ...handler('h/b', all, fail), setup: fail }
  await using t = await testKernel({ points, plugins: [handler('h/a', all, fail), broken, handler('h/c', all, () => undefined)] })
  const { steps, failures } = await t.kernel.emit(all, 'x', { trace: true })
  const told = steps?.map(({ plugin, outcome, code }) => [plugin, outcome, code])
  assert.deepEqual(told, [
    ['h/a', 'failed', 'CALL_FAILED'],
    ['h/b', 'skipped', 'PLUGIN_UNAVAILABLE'],
    ['h/c', 'unchanged', undefined],
  ])
  assert.match(steps?.[0]?.message ?? '', /broken/)
  assert.equal(failures.length, 2)
})

test('of an emit that fails or is cancelled a listener is told all the same', async () => {
  const leaving = new AbortController()
  const plugins = [
    handler('h/a', pipe, (value) => `${String(value)}a`),
    handler('h/b', pipe, (value) => (String(value) === 'stopa' ? new Promise(() => leaving.abort()) : fail())),
    handler('h/c', pipe, () => undefined),
  ]
  await using t = await testKernel({ points, plugins })
  const steps: HookStep[] = []
  const trace = (step: HookStep): void => void steps.push(step)
  await assert.rejects(t.kernel.emit(pipe, 'x', { trace }), { code: 'CALL_FAILED', plugin: 'h/b' })
  const told = (): readonly unknown[] =>
    steps.splice(0).map(({ plugin, outcome, value, code }) => [plugin, outcome, value ?? code])
  assert.deepEqual(told(), [
    ['h/a', 'changed', 'xa'],
    ['h/b', 'failed', 'CALL_FAILED'],
    ['h/c', 'skipped', undefined],
  ])
  await assert.rejects(t.kernel.emit(pipe, 'stop', { trace, signal: leaving.signal }), { name: 'AbortError' })
  assert.deepEqual(told(), [
    ['h/a', 'changed', 'stopa'],
    ['h/b', 'failed', undefined],
    ['h/c', 'skipped', undefined],
  ])
})

test('a plugin cannot trace what others make of what it emits', async () => {
  const given = Promise.withResolvers<Scope>()
  const user: InlinePlugin = { manifest: { id: 'h/user' }, setup: (scope) => given.resolve(scope) }
  await using t = await testKernel({ points, plugins: [user, handler('h/a', all, () => undefined)] })
  await t.kernel.plugins.start('h/user')
  const outcome = await (await given.promise).emit(all, 'x', { trace: true } as never)
  assert.ok(!Object.hasOwn(Object(outcome), 'steps'))
})
