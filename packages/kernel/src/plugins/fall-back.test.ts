import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError, type Scope } from '@backplane/sdk'
import { testKernel, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { memoryStore, type KernelOptions } from '../index.ts'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')

/**
 * A host that begins with 2.0.0 in the place of 1.0.0, which served. Both fail to start with what `failing` throws for their
 * version; nothing thrown is a version that starts.
 */
async function afterAnEnd(failing: (version: string) => void, options: Partial<TestKernelOptions> = {}): Promise<TestKernel> {
  const store = memoryStore()
  let isBegun = false
  const plugin = (version: string): ReturnType<typeof echoPlugin> => {
    const own = echoPlugin({ version, manifest: { activation: 'eager' } })
    const setup = (scope: Scope): unknown => (isBegun && failing(version), own.setup?.(scope))
    return { ...own, setup: setup as never }
  }
  const t = await testKernel({ points, plugins: [plugin('1.0.0')], store })
  await say(t)
  await t.kernel[Symbol.asyncDispose]()
  t.source.put(plugin('2.0.0'))
  isBegun = true
  const given: Partial<KernelOptions> = { store, sources: [t.source], random: () => 1 }
  return testKernel({ points, ...given, clock: t.clock, ...options })
}

const dies = (version: string): never => {
  throw new PlatformError('RUNTIME_EXITED', `${version} died`)
}

test('when neither the new version nor the one before it starts, the record says when it is tried again', async () => {
  let works = false
  await using t = await afterAnEnd((version) => assert.ok(works, `bad ${version}`))
  const { state, version } = t.kernel.plugins.get('echo') ?? {}
  assert.ok(state?.name === 'failed')
  assert.deepEqual([version, state.retryAtMs], ['2.0.0', t.clock.now() + 500])
  assert.match(state.failure.message, /bad 2\.0\.0/)
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE', retryable: true })
  assert.ok(t.lines.some(({ message }) => /1\.0\.0.* does not start either: .*bad 1\.0\.0/.test(message)))
  works = true
  await t.clock.advance(500)
  assert.equal(await say(t), '2.0.0 x')
})

test('a version that dies at every start is put in quarantine, though the one before it does not start either', async () => {
  await using t = await afterAnEnd(dies, { supervision: { crashes: 3 } })
  for (let wait = 0; wait < 3; wait += 1) {
    await t.clock.advance(1_000)
    await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE' })
  }
  const { state, version } = t.kernel.plugins.get('echo') ?? {}
  assert.ok(state?.name === 'quarantined')
  assert.equal(version, '2.0.0')
  assert.match(state.failure.message, /2\.0\.0 died, again and again/)
  await t.clock.advance(86_400_000)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'quarantined')
})

test('what a newer version does while it starts does not count against the one that serves in its place', async () => {
  await using t = await afterAnEnd((version) => void (version === '2.0.0' && dies(version)), { supervision: { crashes: 2 } })
  assert.equal(await say(t), '1.0.0 x')
  t.runtime.crash('demo/echo')
  await t.event('plugin.exited')
  assert.equal(await say(t), '1.0.0 x')
})
