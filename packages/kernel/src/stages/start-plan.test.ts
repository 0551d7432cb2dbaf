import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineRuntime, inlineSource, testKernel, type InlinePlugin, type TestKernelOptions } from '@backplane/testing'
import { points } from '../fixtures/demo-points.ts'
import { startingWith } from '../fixtures/starting-with.ts'
import type { Enforcement, FoundPackage, Grants, Isolation, Limits, PackageCode, Source, StartRequest } from '../index.ts'

async function started(plugin: InlinePlugin, options: TestKernelOptions = {}): Promise<string> {
  await using t = await testKernel({ points, plugins: [plugin], ...options })
  const { state } = await t.kernel.plugins.start(plugin.manifest.id)
  return state.name === 'failed' ? `${state.failure.stage} ${state.failure.code}: ${state.failure.message}` : state.name
}
const it = (manifest: object): InlinePlugin => ({ manifest: { id: 'demo/it', ...manifest } })

test('limits: the plugin may ask for less than the host allows, never for more; the operator decides', async () => {
  let limits: Limits | undefined
  const runtime = inlineRuntime()
  const watching = startingWith(runtime, async (request, start) => {
    limits = request.limits
    return start(request)
  })
  const asked = { memory: '1GiB', concurrency: 4, timeout: '2m', state: '1kB' }
  const options = { runtimes: [watching], limits: { memoryMiB: 512, timeoutMs: 30_000 } }
  assert.equal(await started(it({ limits: asked }), options), 'active')
  assert.deepEqual([limits?.memoryMiB, limits?.concurrency, limits?.timeoutMs, limits?.stateBytes], [512, 4, 30_000, 1_000])
  assert.equal(await started(it({ limits: asked }), { ...options, settings: () => ({ limits: { memoryMiB: 2_048 } }) }), 'active')
  assert.equal(limits?.memoryMiB, 2_048)
})

test('a plugin may choose a stronger tier than policy, never a weaker one, and none the host lacks', async () => {
  const external = (plugin: InlinePlugin): TestKernelOptions => ({
    sources: [inlineSource([plugin], { origin: 'external' })],
    plugins: [],
  })
  assert.match(
    await started(it({}), external(it({}))),
    /POLICY_TIER_UNAVAILABLE: .*tier confined: this host has runtimes for trusted only/,
  )
  assert.match(await started(it({}), external(it({ runtime: ['trusted'] }))), /works only in trusted/)
  assert.match(await started(it({ runtime: ['confined'] })), /POLICY_TIER_UNAVAILABLE/)
  const asked: string[] = []
  const runtimes = [inlineRuntime(), inlineRuntime({ tier: 'confined', enforces: () => (asked.push('confined'), []) })]
  assert.match(await started(it({ runtime: ['confined'] }), { runtimes }), /in memory and runs only as trusted/)
  assert.match(await started(it({}), { settings: () => ({ tier: 'wasm' }) }), /tier wasm/)
})

test('what a tier cannot enforce exactly is refused by name, unless policy waives it — and the waiver is visible', async () => {
  const enforces = (grants: Grants) => [
    { what: 'fs:read', level: 'exact', mechanism: 'permission model' } as const,
    { what: 'limit:memory', level: 'coarse', mechanism: 'heap size' } as const,
    ...(grants.net.length > 0 ? [{ what: 'net:connect', level: 'coarse', mechanism: 'all or nothing' } as const] : []),
  ]
  const runtime = startingWith(inlineRuntime({ tier: 'confined', enforces }), (request, start) => start(unpacked(request)))
  const plugin = it({ permissions: ['net:connect 10.0.0.1:22'] })
  const options = { sources: [packed(inlineSource([plugin], { origin: 'external' }))], runtimes: [runtime], plugins: [] }
  assert.match(
    await started(plugin, options),
    /POLICY_UNENFORCEABLE: .*confined cannot enforce net:connect exactly here \(all or nothing\)/,
  )
  await using t = await testKernel({
    ...options,
    policy: { waive: ({ origin, grants }) => (origin === 'external' ? grants.net.map(() => 'net') : []) },
  })
  const { enforcement, state } = await t.kernel.plugins.start('it')
  assert.equal(state.name, 'active')
  const [, , net] = enforcement
  assert.deepEqual(net, { what: 'net:connect', level: 'coarse', mechanism: 'all or nothing; waived by policy' })
})

test('what was dropped in must stand in a sandbox, what is bundled need not', async () => {
  const asked: unknown[] = []
  const enforces = (grants: Grants, limits: Limits, isolation: Isolation): readonly Enforcement[] => (asked.push(isolation), [])
  const runtime = startingWith(inlineRuntime({ tier: 'confined', enforces }), (request, start) => start(unpacked(request)))
  const start = (origin: 'bundled' | 'external'): Promise<string> =>
    started(it({}), {
      sources: [packed(inlineSource([it({})], { origin }))],
      runtimes: [runtime],
      plugins: [],
      policy: { tier: () => 'confined' },
    })
  assert.deepEqual([await start('bundled'), await start('external')], ['active', 'active'])
  assert.deepEqual(asked, [
    { floor: 'process', trust: 'first-party' },
    { floor: 'os', trust: 'community' },
  ])
})

test('where no sandbox can be built the plugin is refused; once that is waived it starts without, and its record says so', async () => {
  const missing = { what: 'sandbox', level: 'none', mechanism: 'bubblewrap is missing: apt-get install bubblewrap' } as const
  let floor: string | undefined
  const runtime = startingWith(inlineRuntime({ tier: 'confined', enforces: () => [missing] }), (request, start) => {
    floor = request.isolation.floor
    return start(unpacked(request))
  })
  const options = { sources: [packed(inlineSource([it({})], { origin: 'external' }))], runtimes: [runtime], plugins: [] }
  assert.match(await started(it({}), options), /POLICY_UNENFORCEABLE: .*sandbox.*apt-get install bubblewrap/)
  assert.equal(floor, undefined)
  await using t = await testKernel({ ...options, policy: { waive: () => ['sandbox'] } })
  const { enforcement, state } = await t.kernel.plugins.start('it')
  assert.deepEqual([state.name, floor], ['active', 'process'])
  assert.deepEqual(enforcement, [{ ...missing, mechanism: `${missing.mechanism}; waived by policy` }])
})

/** Lets modules in memory pass for files, so that a tier other than `trusted` may be asked for. */
function packed(source: Source): Source {
  const pack = (found: FoundPackage): FoundPackage => ({
    ...found,
    stage: async (signal) => {
      const { digest, code } = await found.stage(signal)
      return { digest, code: { kind: 'files', directory: '/nowhere', main: 'index.js', packed: code } as PackageCode }
    },
  })
  return {
    ...source,
    list: async (signal) => {
      const { packages, problems } = await source.list(signal)
      return { packages: packages.map(pack), problems }
    },
  }
}

function unpacked(request: StartRequest): StartRequest {
  return { ...request, code: Reflect.get(request.code, 'packed') as PackageCode }
}
