import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineSource, testKernel, type InlinePlugin } from '@backplane/testing'
import { echo, echoPlugin, pipe, points } from '../fixtures/demo-points.ts'
import type { Kernel, Policy } from '../index.ts'

const needing = (
  id: string,
  ...needs: readonly (string | { id: string; range: string; optional?: boolean })[]
): InlinePlugin => ({
  manifest: { id, dependencies: needs.map((need) => (typeof need === 'string' ? { id: need, range: '*' } : need)) },
})
const failure = (kernel: Kernel, id: string): string => {
  const state = kernel.plugins.get(id)?.state
  return state?.name === 'failed' ? `${state.failure.code}: ${state.failure.message}` : (state?.name ?? 'not there')
}

test('a missing dependency names who needs what, and the nearest that is there', async () => {
  await using t = await testKernel({ plugins: [needing('a/top', { id: 'a/bass', range: '^2.0.0' }), needing('a/base')] })
  assert.match(failure(t.kernel, 'a/top'), /DEPENDENCY_MISSING: a\/top needs a\/bass \^2\.0\.0, .*did you mean "a\/base"/)
})

test('a dependency of the wrong version names both', async () => {
  await using t = await testKernel({ plugins: [needing('a/top', { id: 'a/base', range: '^2.0.0' }), needing('a/base')] })
  assert.match(failure(t.kernel, 'a/top'), /DEPENDENCY_MISMATCH: a\/top needs a\/base \^2\.0\.0, but 1\.0\.0 is installed/)
})

test('a cycle is named by all its members, and what hangs on it names its own dependency', async () => {
  const plugins = [needing('a/one', 'a/two'), needing('a/two', 'a/three'), needing('a/three', 'a/one'), needing('b/top', 'a/two')]
  await using t = await testKernel({ plugins })
  for (const id of ['a/one', 'a/two', 'a/three']) {
    assert.match(failure(t.kernel, id), /DEPENDENCY_CYCLE: .*a\/one → a\/two → a\/three → a\/one/)
  }
  assert.match(failure(t.kernel, 'b/top'), /DEPENDENCY_FAILED: b\/top needs a\/two/)
})

test('a dependent of a plugin that cannot run gets a reason that names it', async () => {
  const broken = { manifest: { id: 'a/base', version: 'one' } }
  await using t = await testKernel({ plugins: [needing('a/top', 'a/mid'), needing('a/mid', 'a/base'), broken] })
  assert.match(failure(t.kernel, 'a/top'), /DEPENDENCY_FAILED: a\/top needs a\/mid, which is not usable: a\/mid needs a\/base/)
  t.source.put(needing('a/base'))
  await t.kernel.plugins.refresh()
  assert.equal(failure(t.kernel, 'a/top'), 'idle')
})

test('a dependency that fails to start fails its dependent, naming it', async () => {
  const base = { manifest: { id: 'a/base' }, setup: () => assert.fail('no disk') }
  await using t = await testKernel({ plugins: [needing('a/top', 'a/base'), base] })
  await t.kernel.plugins.start('a/top')
  assert.match(failure(t.kernel, 'a/top'), /DEPENDENCY_FAILED: a\/top needs a\/base, .*no disk/)
})

test('optional dependencies are started first when they are there, and are not missed otherwise', async () => {
  const order: string[] = []
  const noting = (plugin: InlinePlugin): InlinePlugin => ({ ...plugin, setup: () => void order.push(plugin.manifest.id) })
  const optional = { range: '^1.0.0', optional: true }
  const top = needing('a/top', { id: 'a/there', ...optional }, { id: 'a/gone', ...optional }, { id: 'a/old', ...optional })
  const old = { manifest: { id: 'a/old', version: '0.1.0' } }
  await using t = await testKernel({ plugins: [noting(top), noting(needing('a/there')), noting(old)] })
  await t.kernel.plugins.start('a/top')
  assert.deepEqual(order, ['a/there', 'a/top'])
})

test('optional dependencies in a circle do not wait for each other', async () => {
  const optional = { range: '*', optional: true }
  await using t = await testKernel({
    plugins: [needing('a/one', { id: 'a/two', ...optional }), needing('a/two', { id: 'a/one', ...optional })],
  })
  await t.kernel.plugins.start('a/one')
  await t.kernel.plugins.start('a/two')
  assert.deepEqual([failure(t.kernel, 'a/one'), failure(t.kernel, 'a/two')], ['active', 'active'])
})

test('of two plugins that provide one name the later by precedence fails, naming both', async () => {
  const plugins = [echoPlugin({ id: 'b/first', name: 'x' }), echoPlugin({ id: 'a/second', name: 'x', version: '2.0.0' })]
  await using t = await testKernel({ points, plugins })
  assert.match(failure(t.kernel, 'a/second'), /POINT_CONFLICT: a\/second and b\/first both provide demo\.echo "x"/)
  assert.equal(await t.kernel.provider(echo, 'x').say('hi'), '1.0.0 hi')
  t.source.take('b/first')
  await t.kernel.plugins.refresh()
  assert.equal(await t.kernel.provider(echo, 'x').say('hi'), '2.0.0 hi')
})

test('a newcomer never takes a name from a plugin that serves', async () => {
  const early = inlineSource([], { name: 'early' })
  const late = inlineSource([echoPlugin({ id: 'b/serving', name: 'x' })], { name: 'late' })
  await using t = await testKernel({ points, sources: [early, late] })
  await t.kernel.provider(echo, 'x').say('hi')
  early.put(echoPlugin({ id: 'a/newcomer', name: 'x' }))
  await t.kernel.plugins.refresh()
  assert.match(failure(t.kernel, 'a/newcomer'), /POINT_CONFLICT/)
  assert.equal(failure(t.kernel, 'b/serving'), 'active')
})

test('a name that the policy reserves goes to who may have it, whatever comes first; the others fail with its reason', async () => {
  const early = inlineSource([echoPlugin({ id: 'evil/echo', name: 'x' })], { name: 'early' })
  const late = inlineSource([echoPlugin({ id: 'b/owner', name: 'x' })], { name: 'late' })
  let owner = 'b/owner'
  const reserved: Policy['reserved'] = ({ id, name, origin }) =>
    name === 'x' && id !== owner ? `it belongs to ${owner}, and this one is ${origin}` : undefined
  await using t = await testKernel({ points, sources: [early, late], policy: { reserved } })
  assert.equal(
    failure(t.kernel, 'evil/echo'),
    'POINT_RESERVED: evil/echo may not provide demo.echo "x": it belongs to b/owner, and this one is bundled',
  )
  assert.equal(await t.kernel.provider(echo, 'x').say('hi'), '1.0.0 hi')
  late.take('b/owner')
  await t.kernel.plugins.refresh()
  await assert.rejects(t.kernel.provider(echo, 'x').say('hi'), { code: 'PLUGIN_UNAVAILABLE', message: /belongs to b\/owner/ })
  owner = 'evil/echo'
  await t.kernel.plugins.refresh()
  assert.equal(failure(t.kernel, 'evil/echo'), 'idle')
})

test('of packages with one id the first source wins and the others are listed as shadowed', async () => {
  const early = inlineSource([echoPlugin({ version: '2.0.0' })], { name: 'early' })
  const late = inlineSource([echoPlugin({ version: '3.0.0' })], { name: 'late' })
  await using t = await testKernel({ points, sources: [early, late] })
  const record = t.kernel.plugins.get('demo/echo')
  assert.deepEqual([record?.version, record?.source, record?.shadowed], ['2.0.0', 'early', ['/late/demo/echo']])
  early.take('demo/echo')
  await t.kernel.plugins.refresh()
  assert.deepEqual(t.kernel.plugins.get('demo/echo')?.version, '3.0.0')
  assert.deepEqual(t.kernel.plugins.get('demo/echo')?.shadowed, [])
})

test('hook handlers that cannot be ordered fail, naming the cycle, and the rest has an order', async () => {
  const handler = (id: string, order: object): InlinePlugin => ({
    manifest: { id, contributes: { 'demo.pipe': { it: order } } },
    setup: (scope) => scope.on(pipe, 'it', (value) => value + id.at(-1)),
  })
  await using t = await testKernel({
    points,
    plugins: [handler('h/a', { before: ['h/b'] }), handler('h/b', { before: ['h/a'] }), handler('h/c', {})],
  })
  for (const id of ['h/a', 'h/b'])
    assert.match(failure(t.kernel, id), /HOOK_ORDER_CYCLE: .*demo\.pipe.*h\/a before h\/b|h\/b before h\/a/)
  assert.equal((await t.kernel.emit(pipe, '')).value, 'c')
})

test('a package that cannot be read keeps its place: what a later source has under its id does not run instead', async () => {
  const early = inlineSource([], { name: 'early' })
  const late = inlineSource([echoPlugin({ version: '3.0.0' })], { name: 'late' })
  const error = { code: 'INSTALL_NOT_STORED', message: 'it is damaged', retryable: false, plugin: 'demo/echo' }
  early.putProblem({ path: '/lock#demo/echo', error })
  await using t = await testKernel({ points, sources: [early, late] })
  assert.match(failure(t.kernel, 'demo/echo'), /INSTALL_NOT_STORED: it is damaged/)
  assert.deepEqual(t.kernel.plugins.get('demo/echo')?.shadowed, ['/late/demo/echo'])
  await assert.rejects(t.kernel.provider(echo, 'echo').say('hi'))
})

test('thousands that need one another are told apart, whether they can run, lack the last one, or lead around', async () => {
  const most = 3_000
  const chain = (last: object, optional = false): InlinePlugin[] =>
    Array.from({ length: most }, (_, at) => ({
      manifest: {
        id: `p/n${at}`,
        dependencies: at + 1 < most ? [{ id: `p/n${at + 1}`, range: '*', optional }] : [],
        ...(at + 1 < most ? {} : last),
      },
    }))
  const codes = async (plugins: InlinePlugin[]): Promise<ReadonlySet<string>> => {
    await using t = await testKernel({ plugins })
    return new Set(t.kernel.plugins.list().map(({ state }) => (state.name === 'failed' ? state.failure.code : state.name)))
  }
  const around = { dependencies: [{ id: 'p/n0', range: '*' }] }
  assert.deepEqual([...(await codes(chain({})))], ['idle'])
  assert.deepEqual([...(await codes(chain({}, true)))], ['idle'])
  assert.deepEqual([...(await codes(chain({ dependencies: [{ id: 'p/gone', range: '*' }] })))].sort(), [
    'DEPENDENCY_FAILED',
    'DEPENDENCY_MISSING',
  ])
  assert.deepEqual([...(await codes(chain(around)))], ['DEPENDENCY_CYCLE'])
  assert.deepEqual([...(await codes(chain(around, true)))], ['idle'], 'what is optional is left out of a circle')
})
