import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineSource, testKernel, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import { memoryStore, type Admission, type AdmissionRequest, type PluginAccess, type Source } from '../index.ts'
import { summaryOf } from './summary.ts'

const say = (t: TestKernel): Promise<string> => t.kernel.provider(echo, 'echo').say('x')
const asking = (version: string, ...permissions: string[]): ReturnType<typeof echoPlugin> =>
  echoPlugin({ version, manifest: { permissions } })
const net = 'net:connect api.example.org:443'
const exec = 'exec qemu-img'

/** Takes everything but what is refused, and remembers what it was asked. */
class Door implements Admission {
  readonly asked: AdmissionRequest[] = []
  readonly refused = new Set<string>()
  granted: readonly string[] | undefined
  readonly admit: Admission['admit'] = async (asked) => {
    this.asked.push(asked)
    if (!this.refused.has(asked.version)) return { ok: true, trust: { level: 'signed', publisher: 'Demo', waived: [] } }
    return { ok: false, reason: `nobody signed ${asked.version}`, fix: 'Sign it', details: { rule: 'signature' } }
  }
  readonly approved = (): readonly string[] | undefined => this.granted
}

function kernelWith(admission: Admission, options: TestKernelOptions = {}): Promise<TestKernel> {
  return testKernel({
    points,
    plugins: [echoPlugin({ version: '1.0.0' })],
    times: { probationMs: 60_000 },
    admission,
    ...options,
  })
}

test('admission is asked at each start with the digest of what is loaded, and its answer is in the record', async () => {
  const door = new Door()
  await using t = await kernelWith(door)
  assert.equal(door.asked.length, 0, 'nothing has started')
  assert.equal(await say(t), '1.0.0 x')
  const record = t.kernel.plugins.get('echo')
  assert.deepEqual(record?.trust, { level: 'signed', publisher: 'Demo', waived: [] })
  await t.kernel.plugins.reload('echo')
  assert.deepEqual(
    door.asked.map(({ id, version, origin, staged }) => [id, version, origin, staged.digest]),
    Array.from({ length: 2 }, () => ['demo/echo', '1.0.0', record?.origin, record?.digest]),
  )
})

test('of a refused package no line runs, and the record says which rule and what to do', async () => {
  const door = new Door()
  door.refused.add('1.0.0')
  let isRun = false
  const plugin = { ...echoPlugin({ version: '1.0.0' }), setup: () => void (isRun = true) }
  await using t = await kernelWith(door, { plugins: [plugin] })
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE', hint: 'Sign it' })
  assert.equal(isRun, false)
  const { state } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual(state?.name === 'failed' && [state.failure.code, state.failure.message], [
    'TRUST_REFUSED',
    'demo/echo 1.0.0 is refused: nobody signed 1.0.0',
  ])
})

test('what would be refused is told before its first call, and nothing is changed or run for that', async () => {
  const door = new Door()
  door.refused.add('1.0.0')
  let isRun = false
  const plugin = { ...echoPlugin({ version: '1.0.0' }), setup: () => void (isRun = true) }
  await using t = await kernelWith(door, { plugins: [plugin] })
  const { plugins } = t.kernel
  const { signal } = new AbortController()
  const before = plugins.get('echo')
  const refusal = await plugins.refusal('echo', signal)
  assert.deepEqual([refusal?.stage, refusal?.code, refusal?.hint], ['start', 'TRUST_REFUSED', 'Sign it'])
  assert.deepEqual([plugins.get('echo')?.state, isRun], [before?.state, false])
  await assert.rejects(plugins.refusal('nonesuch', signal), { code: 'PLUGIN_UNKNOWN' })
  await assert.rejects(plugins.refusal('echo', AbortSignal.abort(new Error('gone'))))
  door.refused.clear()
  assert.equal(await plugins.refusal('echo', signal), undefined)
  await assert.rejects(say(t), /echo/, 'its setup registers nothing')
  const asked = door.asked.length
  assert.equal(await plugins.refusal('echo', signal), undefined, 'it is not idle')
  assert.equal(door.asked.length, asked)
})

test('an admission that throws refuses', async () => {
  const door: Admission = { admit: () => Promise.reject(new Error('the policy cannot be read')) }
  await using t = await kernelWith(door)
  await assert.rejects(say(t), /the policy cannot be read/)
})

test('a refused update leaves the old version serving', async () => {
  const door = new Door()
  door.refused.add('2.0.0')
  await using t = await kernelWith(door)
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '1.0.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.update?.failure.code, 'TRUST_REFUSED')
  door.refused.clear()
  await t.kernel.plugins.reload('echo')
  assert.equal(await say(t), '2.0.0 x')
})

test('a roll back to what is refused meanwhile is refused, and what serves goes on', async () => {
  const door = new Door()
  await using t = await kernelWith(door)
  await say(t)
  t.source.put(echoPlugin({ version: '2.0.0' }))
  await t.kernel.plugins.refresh()
  door.refused.add('1.0.0')
  await t.kernel.plugins.rollback('echo')
  assert.equal(await say(t), '2.0.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.update?.failure.code, 'TRUST_REFUSED')
})

test('a plugin that asks for more than was approved is blocked until it is approved', async () => {
  const door = new Door()
  door.granted = [net]
  await using t = await kernelWith(door, { plugins: [asking('1.0.0', net, exec)] })
  const { state } = t.kernel.plugins.get('echo') ?? {}
  assert.deepEqual(state, {
    name: 'blocked',
    reason: `version 1.0.0 asks for permissions that nobody approved: ${exec}`,
    permissions: [exec],
  })
  await assert.rejects(say(t), { code: 'PLUGIN_UNAVAILABLE' })
  assert.equal((await t.kernel.plugins.start('echo')).state.name, 'blocked')
  assert.equal((await t.kernel.plugins.reload('echo')).state.name, 'blocked')
  assert.equal(door.asked.length, 0, 'none of it was started')
  door.granted = [net, exec]
  await t.kernel.plugins.refresh()
  assert.equal(await say(t), '1.0.0 x')
})

test('an approval taken back blocks a plugin that does not run', async () => {
  const door = new Door()
  door.granted = [net]
  await using t = await kernelWith(door, { plugins: [asking('1.0.0', net)] })
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'idle')
  door.granted = []
  await t.kernel.plugins.refresh()
  assert.equal(t.kernel.plugins.get('echo')?.state.name, 'blocked')
})

test('an update that asks for more waits: the old version serves, also after a restart, until it is approved', async () => {
  const door = new Door()
  door.granted = [net]
  const store = memoryStore()
  await using t = await kernelWith(door, { store, plugins: [asking('1.0.0', net)] })
  await say(t)
  t.source.put(asking('2.0.0', net, exec))
  await t.kernel.plugins.refresh()
  await t.kernel.plugins.refresh()
  const waiting = t.kernel.plugins.get('echo')
  assert.deepEqual([waiting?.state.name, waiting?.version, waiting?.held?.why], ['active', '1.0.0', 'not approved'])
  assert.equal(waiting?.update?.failure.code, 'PERMISSION_UNAPPROVED')
  assert.equal(await say(t), '1.0.0 x')
  await t.kernel[Symbol.asyncDispose]()
  await using again = await kernelWith(door, { store, plugins: [], sources: [t.source] })
  assert.equal(await say(again), '1.0.0 x')
  assert.equal(again.kernel.plugins.get('echo')?.held?.against.version, '2.0.0')
  door.granted = [net, exec]
  await again.kernel.plugins.refresh()
  assert.equal(await say(again), '2.0.0 x')
  assert.equal(again.kernel.plugins.get('echo')?.held, undefined)
})

test('a version that asks for less takes the place of one that waits', async () => {
  const door = new Door()
  door.granted = [net]
  await using t = await kernelWith(door, { plugins: [asking('1.0.0', net)] })
  await say(t)
  for (const plugin of [asking('2.0.0', exec), asking('2.1.0', net)]) {
    t.source.put(plugin)
    await t.kernel.plugins.refresh()
  }
  assert.equal(await say(t), '2.1.0 x')
  assert.equal(t.kernel.plugins.get('echo')?.update, undefined)
})

test('permissions are those of the manifest that starts, whatever was remembered of it', async () => {
  const door = new Door()
  door.granted = []
  const { list, ...inline } = inlineSource([asking('1.0.0', exec)])
  const [honest] = (await inlineSource([echoPlugin()]).list(AbortSignal.timeout(1_000))).packages
  assert.ok(honest)
  const summary = summaryOf(honest)
  const source: Source = {
    ...inline,
    list: async (signal) => {
      const { packages, problems } = await list(signal)
      return { packages: packages.map((found) => Object.assign({}, found, { summary })), problems }
    },
  }
  await using t = await testKernel({ points, sources: [source], admission: door })
  await t.kernel.plugins.start('demo/echo')
  const { state } = t.kernel.plugins.get('demo/echo') ?? {}
  assert.equal(state?.name === 'failed' ? state.failure.code : state?.name, 'PERMISSION_UNAPPROVED')
})

test('a gate may ask one plugin about another before the kernel is made, and lets that one in without asking', async () => {
  let access: PluginAccess | undefined
  const seen: string[] = []
  const admission: Admission = {
    attach: (plugins) => void (access = plugins),
    admit: async ({ id }, signal) => {
      if (id !== 'demo/judge') {
        await using lease = await (access as PluginAccess).lease(echo, 'judge', { signal })
        seen.push(await lease.handle.say(id, { signal }))
      }
      return { ok: true, trust: { level: 'unsigned', waived: [] } }
    },
  }
  const judge = echoPlugin({ id: 'demo/judge', version: '1.0.0' })
  const eager = echoPlugin({ version: '2.0.0', manifest: { activation: 'eager' } })
  await using t = await kernelWith(admission, { plugins: [judge, eager] })
  assert.deepEqual(seen, ['1.0.0 demo/echo'])
  assert.deepEqual(
    t.kernel.plugins.list().map(({ id, state }) => [id, state.name]),
    [
      ['demo/echo', 'active'],
      ['demo/judge', 'active'],
    ],
  )
})
