import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import type { Admission } from '../index.ts'

/** Takes everything but the ids it is told, and grants what it is told. */
class Door implements Admission {
  readonly refused = new Set<string>()
  granted: readonly string[] | undefined
  readonly admit: Admission['admit'] = async ({ id }) =>
    this.refused.has(id)
      ? { ok: false, reason: 'an advisory names it', fix: 'Remove it.' }
      : { ok: true, trust: { level: 'signed', waived: [] } }
  readonly approved = (): readonly string[] | undefined => this.granted
}

async function serving(door: Door): Promise<TestKernel> {
  const permissions = ['exec qemu-img']
  const plugins = [echoPlugin({ id: 'demo/a', manifest: { permissions } }), echoPlugin({ id: 'demo/b' })]
  const t = await testKernel({ points, plugins, admission: door })
  for (const name of ['a', 'b']) assert.equal(await t.kernel.provider(echo, name).say('x'), '1.0.0 x')
  return t
}

test('what serves and is refused meanwhile is stopped, and says why; everything else goes on', async () => {
  const door = new Door()
  await using t = await serving(door)
  const generation = t.kernel.plugins.get('demo/b')?.state
  door.refused.add('demo/a')
  assert.deepEqual(await t.kernel.plugins.readmit(), ['demo/a'])
  const { state } = t.kernel.plugins.get('demo/a') ?? {}
  assert.equal(state?.name === 'failed' && state.failure.code, 'TRUST_REFUSED')
  await assert.rejects(t.kernel.provider(echo, 'a').say('x'), { code: 'PLUGIN_UNAVAILABLE' })
  assert.deepEqual(t.kernel.plugins.get('demo/b')?.state, generation)
  door.refused.clear()
  assert.deepEqual(await t.kernel.plugins.readmit(), [])
  assert.equal(await t.kernel.provider(echo, 'a').say('x'), '1.0.0 x')
})

test('what serves with more than is approved now is stopped and blocked', async () => {
  const door = new Door()
  await using t = await serving(door)
  door.granted = []
  assert.deepEqual(await t.kernel.plugins.readmit(), ['demo/a'])
  assert.equal(t.kernel.plugins.get('demo/a')?.state.name, 'blocked')
  door.granted = undefined
  await t.kernel.plugins.refresh()
  assert.equal(await t.kernel.provider(echo, 'a').say('x'), '1.0.0 x')
})
