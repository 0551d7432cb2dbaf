import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel, type InlinePlugin } from '@backplane/testing'
import { echoPlugin, points } from '../fixtures/demo-points.ts'
import type { Kernel } from '../index.ts'

type Fields = Partial<InlinePlugin['manifest']>

const started: string[] = []

function plugin(id: string, fields: Fields = {}): InlinePlugin {
  return { manifest: { id, ...fields }, setup: () => void started.push(id) }
}

const needing = (id: string, range = '^1.0.0', fields: Fields = {}): InlinePlugin =>
  plugin(id, { requires: { api: '*', capabilities: { 'demo.disk': range } }, ...fields })
const providing = (id: string, version = '1.0.0', fields: Fields = {}): InlinePlugin =>
  plugin(id, { provides: { 'demo.disk': version }, ...fields })

const stateOf = (kernel: Kernel, id: string): string => {
  const state = kernel.plugins.get(id)?.state
  return state?.name === 'failed' ? `${state.failure.code}: ${state.failure.message}` : (state?.name ?? 'not there')
}

async function startOrder(kernel: Kernel, id: string): Promise<readonly string[]> {
  started.length = 0
  await kernel.plugins.start(id)
  return [...started]
}

test('a plugin whose capability nobody provides does not start, and says which and what is nearest', async () => {
  await using t = await testKernel({ plugins: [needing('a/top'), plugin('a/other', { provides: { 'demo.disks': '1.0.0' } })] })
  assert.match(
    stateOf(t.kernel, 'a/top'),
    /DEPENDENCY_NOT_PROVIDED: a\/top needs demo\.disk \^1\.0\.0 .*no plugin provides it.*demo\.disks/,
  )
  t.source.put(providing('a/late'))
  await t.kernel.plugins.refresh()
  assert.deepEqual(await startOrder(t.kernel, 'a/top'), ['a/late', 'a/top'])
  t.source.take('a/late')
  await t.kernel.plugins.refresh()
  assert.equal(stateOf(t.kernel, 'a/top'), 'active', 'what runs goes on')
})

test('a capability in another version is none, and who has it is named', async () => {
  await using t = await testKernel({ plugins: [needing('a/top', '^2.0.0'), providing('a/base', '1.4.0')] })
  assert.match(stateOf(t.kernel, 'a/top'), /DEPENDENCY_NOT_PROVIDED: .* and a\/base 1\.0\.0 provides 1\.4\.0/)
})

test('a version before a release is taken only where the range names one', async () => {
  await using t = await testKernel({
    plugins: [needing('a/top'), needing('a/bold', '^1.0.0-rc.1'), providing('a/base', '1.0.0-rc.2')],
  })
  assert.match(stateOf(t.kernel, 'a/top'), /DEPENDENCY_NOT_PROVIDED/)
  assert.equal(stateOf(t.kernel, 'a/bold'), 'idle')
})

test('who provides a capability is started first, and fails with its reason who needs it', async () => {
  const broken: InlinePlugin = { manifest: providing('a/base').manifest, setup: () => assert.fail('no disk') }
  await using t = await testKernel({ plugins: [needing('a/top'), broken] })
  await t.kernel.plugins.start('a/top')
  assert.match(stateOf(t.kernel, 'a/top'), /DEPENDENCY_FAILED: a\/top needs a\/base, .*no disk/)
})

test('of several the first by precedence is taken that can run', async () => {
  const plugins = [
    providing('z/unfit', '1.0.0', { dependencies: [{ id: 'a/gone', range: '*' }] }),
    providing('b/first'),
    providing('a/second'),
    needing('a/top'),
  ]
  await using t = await testKernel({ plugins })
  assert.deepEqual(await startOrder(t.kernel, 'a/top'), ['b/first', 'a/top'])
})

test('what already runs is taken before what would have to be started', async () => {
  await using t = await testKernel({ plugins: [providing('a/first'), providing('a/second'), plugin('a/top')] })
  await t.kernel.plugins.start('a/second')
  t.source.put(needing('a/top', '^1.0.0', { version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  assert.deepEqual(await startOrder(t.kernel, 'a/top'), ['a/top'])
})

test('a provider that is switched off is of no use to others, and they say so', async () => {
  await using t = await testKernel({ plugins: [needing('a/top'), providing('a/base')] })
  await t.kernel.plugins.disable('a/base', 'not now')
  assert.match(stateOf(t.kernel, 'a/top'), /DEPENDENCY_FAILED: a\/top needs a\/base, .*not now/)
  await t.kernel.plugins.enable('a/base')
  assert.equal(stateOf(t.kernel, 'a/top'), 'idle')
})

test('a circle of needs is named, and one that another provider opens is none', async () => {
  const inTurn = (id: string, needs: string, offers: string): InlinePlugin =>
    plugin(id, { requires: { api: '*', capabilities: { [needs]: '*' } }, provides: { [offers]: '1.0.0' } })
  await using t = await testKernel({
    plugins: [inTurn('a/one', 'demo.two', 'demo.one'), inTurn('a/two', 'demo.one', 'demo.two')],
  })
  for (const id of ['a/one', 'a/two']) assert.match(stateOf(t.kernel, id), /DEPENDENCY_CYCLE: .*a\/one → a\/two → a\/one/)
  t.source.put(plugin('z/way-out', { provides: { 'demo.two': '1.0.0' } }))
  await t.kernel.plugins.refresh()
  assert.deepEqual(await startOrder(t.kernel, 'a/two'), ['z/way-out', 'a/one', 'a/two'])
})

test('what a plugin provides itself it need not get from others', async () => {
  await using t = await testKernel({ plugins: [needing('a/top', '^1.0.0', { provides: { 'demo.disk': '1.2.0' } })] })
  assert.deepEqual(await startOrder(t.kernel, 'a/top'), ['a/top'])
})

test('an optional dependency that provides what is needed is not optional', async () => {
  const broken: InlinePlugin = { manifest: providing('a/base').manifest, setup: () => assert.fail('no disk') }
  const top = needing('a/top', '^1.0.0', { dependencies: [{ id: 'a/base', range: '*', optional: true }] })
  await using t = await testKernel({ plugins: [top, broken] })
  await t.kernel.plugins.start('a/top')
  assert.match(stateOf(t.kernel, 'a/top'), /DEPENDENCY_FAILED/)
})

test('an optional dependency that needs in turn what the plugin provides does not keep it waiting', async () => {
  const top = providing('a/top', '1.0.0', { dependencies: [{ id: 'a/user', range: '*', optional: true }] })
  await using t = await testKernel({ plugins: [top, needing('a/user')] })
  assert.deepEqual(await startOrder(t.kernel, 'a/user'), ['a/top', 'a/user'])
})

test('of providers one that needs the plugin in turn is never waited for, whatever keeps the others from running', async () => {
  const inTurn = providing('a/in-turn', '1.0.0', { dependencies: [{ id: 'm/top', range: '*' }] })
  const second = echoPlugin({ id: 'z/second', name: 'x', manifest: { provides: { 'demo.disk': '1.0.0' } } })
  await using t = await testKernel({
    points,
    plugins: [inTurn, echoPlugin({ id: 'b/first', name: 'x' }), second, needing('m/top')],
  })
  assert.match(stateOf(t.kernel, 'm/top'), /DEPENDENCY_FAILED: m\/top needs z\/second, .*both provide/)
  assert.match(stateOf(t.kernel, 'a/in-turn'), /DEPENDENCY_FAILED: a\/in-turn needs m\/top/)
})
