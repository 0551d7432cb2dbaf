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
