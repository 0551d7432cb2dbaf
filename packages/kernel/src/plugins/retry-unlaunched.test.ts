import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import type { Admission } from '../index.ts'

test('what was refused is tried again by a refresh once the policy takes it, with what needs it', async () => {
  let ok = false
  const admit: Admission['admit'] = async ({ id }) =>
    ok || id !== 'demo/a'
      ? { ok: true, trust: { level: 'signed', waived: [] } }
      : { ok: false, reason: 'nobody signed it', fix: 'Name its key.' }
  const needing = { dependencies: [{ id: 'demo/a', range: '*' }] }
  const plugins = [echoPlugin({ id: 'demo/a' }), echoPlugin({ id: 'demo/b', manifest: needing })]
  await using t = await testKernel({ points, plugins, admission: { admit } })
  const states = (): readonly unknown[] => t.kernel.plugins.list().map(({ state }) => state.name)
  for (const name of ['a', 'b']) await assert.rejects(t.kernel.provider(echo, name).say('x'), { code: 'PLUGIN_UNAVAILABLE' })
  assert.deepEqual((await t.kernel.plugins.refresh()).failed, ['demo/a', 'demo/b'])
  ok = true
  assert.deepEqual((await t.kernel.plugins.refresh()).failed, [])
  assert.deepEqual(states(), ['active', 'active'])
})

test('an update that was refused is tried again by a refresh, and takes over once the policy takes it', async () => {
  let ok = false
  let asked = 0
  const admit: Admission['admit'] = async ({ manifest: { version } }) => {
    if (version === '1.0.0' || ok) return { ok: true, trust: { level: 'signed', waived: [] } }
    asked += 1
    return { ok: false, reason: 'nobody signed it', fix: 'Name its key.' }
  }
  await using t = await testKernel({ points, plugins: [echoPlugin({ id: 'demo/a' })], admission: { admit } })
  await t.kernel.provider(echo, 'a').say('x')
  t.source.put(echoPlugin({ id: 'demo/a', manifest: { version: '2.0.0' } }))
  await t.kernel.plugins.refresh()
  const serving = (): unknown => t.kernel.plugins.get('demo/a')?.version
  assert.deepEqual([serving(), asked, t.kernel.plugins.get('demo/a')?.held?.why], ['1.0.0', 1, 'failed'])
  await t.kernel.plugins.refresh()
  assert.deepEqual([serving(), asked], ['1.0.0', 2])
  ok = true
  await t.kernel.plugins.refresh()
  assert.deepEqual([serving(), t.kernel.plugins.get('demo/a')?.held], ['2.0.0', undefined])
})

test('an update that ran and failed is not run again by a refresh', async () => {
  let runs = 0
  const setup = (): never => {
    runs += 1
    throw new Error('no')
  }
  await using t = await testKernel({ points, plugins: [echoPlugin({ id: 'demo/a' })] })
  await t.kernel.provider(echo, 'a').say('x')
  t.source.put({ ...echoPlugin({ id: 'demo/a', manifest: { version: '2.0.0' } }), setup })
  for (let times = 0; times < 2; times += 1) await t.kernel.plugins.refresh()
  assert.deepEqual([t.kernel.plugins.get('demo/a')?.version, runs], ['1.0.0', 1])
})

test('what ran and failed is not run again by a refresh', async () => {
  let runs = 0
  const setup = (): never => {
    runs += 1
    throw new Error('no')
  }
  const plugins = [{ ...echoPlugin({ id: 'demo/a' }), setup }]
  await using t = await testKernel({ points, plugins })
  await assert.rejects(t.kernel.provider(echo, 'a').say('x'))
  const before = runs
  await t.kernel.plugins.refresh()
  await t.kernel.plugins.readmit()
  assert.equal(runs, before)
  assert.equal(t.kernel.plugins.get('demo/a')?.state.name, 'failed')
})
