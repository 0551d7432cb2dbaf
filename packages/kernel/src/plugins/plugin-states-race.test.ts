import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definePlugin, type Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { memoryStore } from '../index.ts'
import { PluginDirectories } from './plugin-directories.ts'
import { PluginStates } from './plugin-states.ts'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const silent = { write: () => undefined }

test('what was moved back while a third version was tried does not write again when that one gives up', async () => {
  const store = memoryStore()
  await using directories = new PluginDirectories(undefined)
  for (const isCommitted of [false, true]) {
    const states = new PluginStates(store, directories, silent)
    const id = `demo/echo-${isCommitted}`
    const first = await states.prepare(id, 1)
    await first.slot.write(() => store.set(first.slot.namespace, 'key', '"first"'))
    const second = await states.prepare(id, 2)
    await second.commit()
    second.taken()
    const third = await states.prepare(id, 3)
    if (isCommitted) await third.commit()
    assert.equal(third.isStale(), false)
    states.goBack(first.slot)
    assert.equal(third.isStale(), true)
    await third.discard()
    await states.settled()
    for (const { slot } of [second, third])
      await assert.rejects(
        slot.write(async () => undefined),
        { code: 'STATE_REPLACED' },
      )
    await first.slot.write(async () => undefined)
    assert.deepEqual(await store.keys(second.slot.namespace, ''), [])
    assert.deepEqual(await store.keys(third.slot.namespace, ''), [])
    const next = await new PluginStates(store, directories, silent).prepare(id, 1)
    assert.equal(next.slot.name, first.slot.name)
    assert.equal(await store.get(next.slot.namespace, 'key'), '"first"')
  }
})

/** An echo plugin whose scope the test keeps, by version. */
function keeping(scopes: Map<string, Scope>, number: number, parts: KeepingParts = {}): InlinePlugin {
  const version = `${number}.0.0`
  const { manifest, setup } = echoPlugin({ version, manifest: { stateVersion: parts.stateVersion ?? 1 } })
  const module = definePlugin(
    async (scope) => {
      scopes.set(version, scope)
      await parts.first?.(scope)
      await setup?.(scope)
    },
    { migrate: async () => undefined },
  )
  return { manifest, module }
}

interface KeepingParts {
  readonly stateVersion?: number
  readonly first?: (scope: Scope) => Promise<void>
}

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')

test('a generation that has ended neither writes nor asks for anything, though its code may still run', async () => {
  const scopes = new Map<string, Scope>()
  await using t = await testKernel({ points, plugins: [keeping(scopes, 1)], times: { probationMs: 60_000 } })
  await say(t)
  t.source.put(keeping(scopes, 2))
  await t.kernel.plugins.refresh()
  const newer = scopes.get('2.0.0')
  assert.ok(newer)
  await newer.state.set('key', 'of 2.0.0')
  t.runtime.crash('demo/echo', undefined, 2)
  await t.event('plugin.moved-back')
  await assert.rejects(newer.state.set('key', 'late'), { code: 'GENERATION_ENDED' })
  await assert.rejects(newer.state.delete('key'), { code: 'GENERATION_ENDED' })
  await assert.rejects(newer.secrets.get('token'), { code: 'GENERATION_ENDED' })
  assert.equal(await scopes.get('1.0.0')?.state.get('key'), 'of 2.0.0')
})

test('a version that is gone back to may store while it is set up', async () => {
  const scopes = new Map<string, Scope>()
  const first = (scope: Scope): Promise<void> => scope.state.set('begun', true)
  await using t = await testKernel({ points, plugins: [keeping(scopes, 1, { first })] })
  await say(t)
  t.source.put(keeping(scopes, 2, { stateVersion: 2 }))
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '2.0.0 x')
  assert.equal((await t.kernel.plugins.rollback('echo')).version, '1.0.0')
})

test('a third version that was being tried when the second was moved back starts from what the first one has', async () => {
  const scopes = new Map<string, Scope>()
  await using t = await testKernel({ points, plugins: [keeping(scopes, 1)], times: { probationMs: 60_000 } })
  await say(t)
  t.source.put(keeping(scopes, 2, { stateVersion: 2 }))
  await t.kernel.plugins.refresh()
  await scopes.get('2.0.0')?.state.set('key', 'of 2.0.0')
  const gate = Promise.withResolvers<void>()
  const proving = Promise.withResolvers<void>()
  let starts = 0
  const first = async (): Promise<void> => {
    starts += 1
    proving.resolve()
    await gate.promise
  }
  t.source.put(keeping(scopes, 3, { stateVersion: 3, first }))
  const refreshed = t.kernel.plugins.refresh()
  await proving.promise
  t.runtime.crash('demo/echo', undefined, 2)
  await t.event('plugin.moved-back')
  await scopes.get('1.0.0')?.state.set('kept', 'of 1.0.0')
  gate.resolve()
  await refreshed
  assert.equal(await say(t), '3.0.0 x')
  assert.equal(starts, 2)
  const { state } = scopes.get('3.0.0') ?? {}
  assert.deepEqual([await state?.get('kept'), await state?.get('key')], ['of 1.0.0', undefined])
})
