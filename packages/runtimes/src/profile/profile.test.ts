import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Instance, PackageCode, ProfileKind, Runtime, Target } from '@backplane/kernel'
import { context, rejection, RuntimeSubject } from '@backplane/testing'
import { confined } from '../confined/confined.ts'
import { contained } from '../contained/contained.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { inSandbox } from '../fixtures/in-sandbox.ts'
import { trusted } from '../trusted/trusted.ts'
import { boundedProfile } from './bounded-profile.ts'

const code: PackageCode = {
  kind: 'files',
  directory: fileURLToPath(new URL('../../src/fixtures/profiled-plugin', import.meta.url)),
  main: 'index.js',
}
const tiers: readonly (readonly [name: string, make: () => Runtime])[] = [
  ['contained', () => contained({ modules: hostModules })],
  ['confined', () => confined({ modules: hostModules })],
  ['confined in a sandbox', () => inSandbox(confined({ modules: hostModules }))],
]
const never = new AbortController().signal

for (const [name, make] of tiers) {
  test(`${name}: a profile of the processor names the plugin's own functions`, { timeout: 60_000 }, async (t) => {
    const instance = await start(t, make)
    const profiled = profile(instance, 'cpu', { durationMs: 300, signal: never })
    const burnt = instance.call(method('burn'), 250, context())
    const { nodes, samples } = JSON.parse((await profiled).toString()) as {
      nodes: { callFrame: { functionName: string; url: string } }[]
      samples: unknown[]
    }
    assert.ok(Number(await burnt) > 0)
    assert.ok(samples.length > 0)
    const found = nodes.find(({ callFrame }) => callFrame.functionName === 'burnsTheProcessor')
    assert.match(found?.callFrame.url ?? '', /profiled-plugin\/index\.js$/)
  })

  test(`${name}: a heap snapshot holds what the plugin keeps`, { timeout: 60_000 }, async (t) => {
    const instance = await start(t, make)
    await instance.call(method('keep'), 10_000, context())
    const { snapshot, strings } = JSON.parse((await profile(instance, 'heap')).toString()) as {
      snapshot: { node_count: number }
      strings: string[]
    }
    assert.ok(snapshot.node_count > 10_000)
    assert.ok(strings.includes('KeptByThePlugin'))
    assert.equal(await instance.call(method('keep'), 0, context()), 10_000)
  })

  test(`${name}: a profile that is given up ends at once, and the plugin goes on`, { timeout: 60_000 }, async (t) => {
    const instance = await start(t, make)
    const controller = new AbortController()
    const given = profile(instance, 'cpu', { durationMs: 600_000, signal: controller.signal })
    controller.abort()
    assert.equal((await rejection(given)).name, 'AbortError')
    // The profiler is free again.
    await profile(instance, 'cpu', { durationMs: 1, signal: never })
  })

  test(`${name}: a plugin that ends while it is profiled ends the profile`, { timeout: 60_000 }, async (t) => {
    const instance = await start(t, make)
    const ended = rejection(profile(instance, 'cpu', { durationMs: 600_000, signal: never }))
    await instance.ping(10_000)
    await instance.stop(0)
    assert.match(String((await ended)['code']), /^RUNTIME_(EXITED|PROFILE_FAILED)$/)
    const after = await rejection(profile(instance, 'heap'))
    assert.match(String(after['code']), /^RUNTIME_(EXITED|PROFILE_FAILED)$/)
  })
}

test('contained: a plugin whose event loop stands still is profiled while it does', { timeout: 60_000 }, async (t) => {
  const instance = await start(t, () => contained({ modules: hostModules }))
  const burnt = instance.call(method('burn'), 30_000, context()).catch(() => undefined)
  await assert.rejects(instance.ping(200))
  const bytes = await profile(instance, 'cpu', { durationMs: 200, signal: never })
  assert.ok(bytes.includes('burnsTheProcessor'))
  await instance.stop(0)
  await burnt
})

for (const kind of ['cpu', 'heap'] as const) {
  test(
    `contained: the ${kind} profile of a thread that is stuck in the system can be given up`,
    { timeout: 30_000 },
    async (t) => {
      const instance = await start(t, () => contained({ modules: hostModules }))
      let isBack = false
      const back = (): unknown => (isBack = true)
      const blocked = instance.call(method('block'), 0, context()).then(back, back)
      await assert.rejects(instance.ping(200))
      const controller = new AbortController()
      const given = rejection(profile(instance, kind, { durationMs: 10, signal: controller.signal }))
      controller.abort()
      assert.equal((await given).name, 'AbortError')
      assert.equal(isBack, false)
      await instance.stop(0)
      await blocked
    },
  )
}

test('contained: a plugin that ends before its heap was read does its host no harm', { timeout: 60_000 }, async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let at = 0; at < 3; at++) {
    const instance = await start(t, () => contained({ modules: hostModules }))
    await instance.call(method('keep'), 100_000, context())
    assert.ok(instance.profile)
    const pieces = instance.profile('heap', { durationMs: 0, signal: never })[Symbol.asyncIterator]()
    if (at > 0) await pieces.next()
    else void pieces.next().catch(() => undefined)
    await instance.stop(0)
    collect()
    // What had come may still be read; what had not is an error.
    await assert.rejects(async () => {
      while ((await pieces.next()).done !== true);
      throw new Error('all of it had come')
    })
    collect()
  }
})

test('trusted: there is no profile of a plugin that shares the process of its host', async (t) => {
  const instance = await start(t, () => trusted({ modules: hostModules }))
  assert.equal(instance.profile, undefined)
})

test('what a guest says is a profile is taken only as bytes, and only up to a limit', async () => {
  async function* said(...items: readonly unknown[]): AsyncGenerator {
    yield* items
  }
  const take = async (items: AsyncIterable<unknown>): Promise<number> => {
    let bytes = 0
    const options = { durationMs: 0, signal: never }
    const source = { plugin: 'demo/one', options, ask: () => items, limits: { bytes: 10 } }
    for await (const piece of boundedProfile(source)) bytes += piece.length
    return bytes
  }
  assert.equal(await take(said(new Uint8Array(4), new Uint8Array(6))), 10)
  const tooMany = await rejection(take(said(new Uint8Array(4), new Uint8Array(7))))
  assert.deepEqual([tooMany['code'], tooMany['plugin']], ['RUNTIME_PROFILE_FAILED', 'demo/one'])
  assert.equal((await rejection(take(said('text'))))['code'], 'RUNTIME_PROFILE_FAILED')
})

async function start(t: TestContext, make: () => Runtime): Promise<Instance> {
  const subject = await RuntimeSubject.make(t, make)
  return subject.start({ code })
}

function method(name: string): Target {
  return { point: 'contract.plain', name: 'all', method: name }
}

async function profile(instance: Instance, kind: ProfileKind, options = { durationMs: 0, signal: never }): Promise<Buffer> {
  assert.ok(instance.profile)
  const pieces: Uint8Array[] = []
  for await (const piece of instance.profile(kind, options)) pieces.push(piece)
  return Buffer.concat(pieces)
}
