import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineRuntime, testKernel, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import { startingWith } from '../fixtures/starting-with.ts'

/** A plugin whose health is what `problem` says. */
async function checked(problem: () => string | undefined): Promise<TestKernel> {
  const plugin = echoPlugin()
  const setup: typeof plugin.setup = (scope) => {
    scope.log.info('set up')
    scope.health(() => {
      const found = problem()
      if (found !== undefined) throw new Error(found)
    })
    return plugin.setup?.(scope)
  }
  const t = await testKernel({ points, plugins: [{ ...plugin, setup }] })
  await t.kernel.provider(echo, 'echo').say('x')
  return t
}

test('a plugin that says three times in a row that it is not well is ended, and started by the next call', async () => {
  let problem: string | undefined
  await using t = await checked(() => problem)
  await t.clock.advance(10_000)
  assert.equal(t.kernel.plugins.get('echo')?.health?.failures, 0)
  problem = 'the disk is gone'
  await t.clock.advance(20_000)
  const { health, state } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual([health?.failures, health?.problem, state?.name], [2, 'the disk is gone', 'active'])
  await t.clock.advance(10_000)
  const { cause } = await t.event('plugin.exited')
  const detail = 'the disk is gone, 3 times in a row'
  assert.deepEqual(cause, { kind: 'unhealthy', detail, lastLines: ['set up'] })
  problem = undefined
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.health, undefined)
})

test('a bad moment is forgotten by the next good one', async () => {
  let looks = 0
  await using t = await checked(() => ((looks += 1), looks % 3 === 0 ? undefined : 'not now'))
  await t.clock.advance(200_000)
  assert.ok(looks >= 20)
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'active')
})

test('a plugin that answers no ping hangs', async () => {
  const runtime = inlineRuntime()
  const deaf = startingWith(runtime, async (request, start) =>
    Object.defineProperty(await start(request), 'ping', { value: () => new Promise(() => undefined) }),
  )
  await using t = await testKernel({ points, plugins: [echoPlugin()], runtimes: [deaf] })
  await t.kernel.provider(echo, 'echo').say('x')
  await t.clock.advance(32_000)
  const { cause } = await t.event('plugin.exited')
  assert.deepEqual(cause, { kind: 'hang', detail: 'a ping was not answered within 2000 ms, 3 times in a row', lastLines: [] })
  assert.equal(runtime.running().length, 0)
})

test('where the host turns the looks off nobody is looked at', async () => {
  const plugin = echoPlugin()
  const setup: typeof plugin.setup = (scope) => {
    scope.health(() => assert.fail('looked'))
    return plugin.setup?.(scope)
  }
  await using t = await testKernel({ points, plugins: [{ ...plugin, setup }], supervision: { healthMs: 0 } })
  await t.kernel.provider(echo, 'echo').say('x')
  await t.clock.advance(3_600_000)
  assert.equal(t.kernel.plugins.get('echo')?.health, undefined)
})
