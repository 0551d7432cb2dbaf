import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, titles } from '../fixtures/demo-points.ts'
import type { PointUser } from '../index.ts'

const show = (users: readonly PointUser[]): string[] =>
  users.map(({ name, version, available }) => `${name}@${version}${available ? '' : ' (off)'}`)

test('who watches a point is told its users at once and every change, first load and reload alike', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin({ id: 'b/two' }), echoPlugin({ id: 'a/one' })] })
  const seen: { readonly users: string[]; readonly added: string[]; readonly removed: string[] }[] = []
  const newest = (): string[] => seen.at(-1)?.users ?? []
  using _watch = t.kernel.watch(echo, (users, { added, removed }) => {
    seen.push({ users: show(users), added: show(added), removed: show(removed) })
  })
  assert.deepEqual(seen.splice(0), [{ users: ['one@1.0.0', 'two@1.0.0'], added: ['one@1.0.0', 'two@1.0.0'], removed: [] }])

  await t.kernel.provider(echo, 'one').say('x')
  await setImmediate()
  assert.deepEqual(seen, [], 'a first start is no change')

  t.source.put(echoPlugin({ id: 'a/one', version: '2.0.0' }), echoPlugin({ id: 'c/three' }))
  await t.kernel.plugins.refresh()
  await setImmediate()
  assert.deepEqual(newest(), ['one@2.0.0', 'three@1.0.0', 'two@1.0.0'])
  assert.deepEqual(
    seen.flatMap(({ added }) => added).toSorted((a, b) => (a < b ? -1 : 1)),
    ['one@2.0.0', 'three@1.0.0'],
  )
  assert.deepEqual(
    seen.splice(0).flatMap(({ removed }) => removed),
    ['one@1.0.0'],
  )

  await t.kernel.plugins.reload('one')
  await setImmediate()
  assert.deepEqual(
    seen.splice(0).map(({ added, removed }) => [added, removed]),
    [[['one@2.0.0'], ['one@2.0.0']]],
  )

  t.source.take('c/three')
  await t.kernel.plugins.refresh()
  await t.event('plugin.removed')
  await setImmediate()
  assert.deepEqual(newest(), ['one@2.0.0', 'two@1.0.0'])
  seen.length = 0

  await t.kernel.plugins.disable('two')
  await setImmediate()
  assert.deepEqual(newest(), ['one@2.0.0', 'two@1.0.0 (off)'])
})

test('a crash is told, because opened instances have to be opened again', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  await t.kernel.provider(echo, 'echo').say('x')
  let told = 0
  using _watch = t.kernel.watch(echo, () => (told += 1))
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  await setImmediate()
  assert.equal(told, 2)
})

test('who stops watching hears nothing more; one that throws is logged and hurts nobody', async () => {
  await using t = await testKernel({ points, plugins: [echoPlugin()] })
  let told = 0
  const watch = t.kernel.watch(echo, () => (told += 1))
  let thrown = 0
  using _bad = t.kernel.watch(echo, () => {
    thrown += 1
    if (thrown > 1) throw new Error('listener')
  })
  watch[Symbol.dispose]()
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  await setImmediate()
  t.source.put(echoPlugin({ version: '3.0.0' }))
  await t.kernel.plugins.refresh()
  await setImmediate()
  assert.deepEqual([told, thrown], [1, 3])
  assert.match(t.lines.at(-1)?.message ?? '', /watches demo\.echo threw/)
})

test('contributions list what cannot be called too, with the reason', async () => {
  const broken = echoPlugin({ id: 'a/old', manifest: { requires: { api: '^9.0.0' } } })
  await using t = await testKernel({ points, plugins: [echoPlugin(), broken] })
  const users = t.kernel.contributions(echo)
  assert.deepEqual(show(users), ['echo@1.0.0', 'old@1.0.0 (off)'])
  assert.match(users[1]?.reason ?? '', /needs API/)
  await assert.rejects(t.kernel.provider(echo, 'old').say('x'), {
    code: 'PLUGIN_UNAVAILABLE',
    message: /needs API/,
    details: { state: 'failed', code: 'API_INCOMPATIBLE', stage: 'check' },
  })
  for (const name of ['__proto__', 'constructor', 'toString']) {
    await assert.rejects(t.kernel.provider(echo, name).say('x'), { code: 'POINT_UNKNOWN_PROVIDER' })
  }
})

test('declared values are there without a start, from plugins that may run, sorted', async () => {
  const titled = (id: string, name: string): object => ({
    manifest: { id, contributes: { 'demo.titles': { [name]: { name, extra: 1 } } } },
  })
  await using t = await testKernel({
    points,
    plugins: [titled('b/two', 'x'), titled('a/one', 'x'), titled('c/off', 'a')] as never,
    policy: { deny: ['off'] },
  })
  assert.deepEqual(t.kernel.data(titles), [
    { plugin: 'a/one', name: 'x', value: { name: 'x' } },
    { plugin: 'b/two', name: 'x', value: { name: 'x' } },
  ])
})

test('values that a plugin adds when it starts are told to who watches, and are gone with it', async () => {
  const plugin = {
    manifest: { id: 'a/one', contributes: { 'demo.titles': { late: {}, early: { name: 'early' } } } },
    setup: (scope: Scope) => scope.contribute(titles, 'late', { name: 'late' }),
  }
  await using t = await testKernel({ points, plugins: [plugin] })
  const seen: string[][] = []
  using _watch = t.kernel.watch(titles, () => void seen.push(t.kernel.data(titles).map(({ value }) => value.name)))
  await t.kernel.plugins.start('a/one')
  await setImmediate()
  await t.kernel.plugins.disable('a/one')
  await setImmediate()
  assert.deepEqual([seen[0], seen[1], seen.at(-1)], [['early'], ['early', 'late'], []])
})
