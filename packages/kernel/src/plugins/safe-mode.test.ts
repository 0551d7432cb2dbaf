import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { inlineSource, testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { echo, echoPlugin, points, veto } from '../fixtures/demo-points.ts'
import type { StartReport } from '../index.ts'

const guard = (criticality: string): InlinePlugin => ({
  manifest: { id: 'acme/guard', criticality, contributes: { 'demo.veto': { it: {} } } },
  setup: (scope) => scope.on(veto, 'it', () => undefined),
})

/** A host with a bundled plugin and two that are not. */
const withExternal = (criticality: string, safeMode: boolean): Promise<TestKernel> => {
  const external = [echoPlugin({ id: 'acme/outside', manifest: { activation: 'eager' } }), guard(criticality)]
  const sources = [inlineSource([echoPlugin()]), inlineSource(external, { name: 'outside', origin: 'external' })]
  return testKernel({ points, sources, safeMode, policy: { tier: () => 'trusted' } })
}

test('in safe mode no external plugin starts; each is listed with the reason, and bundled ones serve', async () => {
  await using t = await withExternal('optional', true)
  const { state } = t.kernel.plugins.get('outside') ?? {}
  assert.deepEqual(state, { name: 'disabled', reason: 'the host runs in safe mode, without external plugins' })
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
  await assert.rejects(t.kernel.provider(echo, 'outside').say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /safe mode/ })
  assert.equal((await t.kernel.plugins.start('outside')).state.name, 'disabled')
  await t.kernel.plugins.disable('outside')
  assert.equal((await t.kernel.plugins.enable('outside')).state.name, 'disabled', 'nor by switching it on')
  assert.equal((await t.kernel.emit(veto, 'x')).veto, undefined, 'an optional handler is not missed')
  await using usual = await withExternal('optional', false)
  assert.equal(await usual.kernel.provider(echo, 'outside').say('x'), '1.0.0 x')
})

test('what a guard that must not be passed over guards stays refused in safe mode', async () => {
  await using t = await withExternal('fail-closed', true)
  await assert.rejects(t.kernel.emit(veto, 'x'), { code: 'PLUGIN_FAIL_CLOSED', plugin: 'acme/guard', message: /safe mode/ })
})

test('a plugin in whose start the host’s process ended is left out of the next start and named, and tried again after that', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'backplane-suspect-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  for (const how of ['exit', 'abort']) {
    const host = (release = ''): Promise<HostEnd> => runHost(join(directory, how), how, release)
    assert.equal((await host()).ok, false, 'the first start ends the host')
    const { plugins, suspected } = await host()
    assert.deepEqual(suspected, ['demo/bad PLUGIN_SUSPECTED'])
    assert.deepEqual(
      plugins?.map(({ id, state }) => [id, state]),
      [
        ['demo/bad', 'quarantined'],
        ['demo/good', 'active'],
      ],
    )
    assert.match(plugins?.[0]?.reason ?? '', /the host ended while demo\/bad 1\.0\.0 was starting/)
    assert.equal((await host()).ok, false, 'it is left out once')
    assert.equal((await host('release')).ok, false, 'released, it is started, and ends the host again')
    assert.equal((await host()).ok, true)
  }
})

interface HostEnd {
  readonly ok: boolean
  readonly plugins?: StartReport['plugins']
  readonly suspected?: readonly string[]
}

/** Runs a host until it ends; it says how its plugins are when it comes so far. */
async function runHost(store: string, how: string, release: string): Promise<HostEnd> {
  const script = fileURLToPath(new URL('../fixtures/host-to-crash.ts', import.meta.url))
  const args = ['--conditions=@backplane/source', script, store, how, release]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>])
  return code === 0 ? { ok: true, ...(JSON.parse(out) as Omit<HostEnd, 'ok'>) } : { ok: false }
}
