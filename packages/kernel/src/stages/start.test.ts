import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { PlatformError, type Scope } from '@backplane/sdk'
import { inlineRuntime, inlineSource, testKernel, type InlinePlugin, type TestKernelOptions } from '@backplane/testing'
import { echo, echoPlugin, points, store, titles } from '../fixtures/demo-points.ts'
import { startingWith } from '../fixtures/starting-with.ts'
import type { Kernel, Runtime } from '../index.ts'

const failure = (kernel: Kernel, id = 'demo/it'): string => {
  const state = kernel.plugins.get(id)?.state
  return state?.name === 'failed' ? `${state.failure.stage} ${state.failure.code}: ${state.failure.message}` : String(state?.name)
}
async function started(plugin: InlinePlugin, options: TestKernelOptions = {}): Promise<string> {
  await using t = await testKernel({ points, plugins: [plugin], ...options })
  await t.kernel.plugins.start(plugin.manifest.id)
  return failure(t.kernel, plugin.manifest.id)
}
const it = (manifest: object, setup?: (scope: Scope) => void | Promise<void>): InlinePlugin => ({
  manifest: { id: 'demo/it', ...manifest },
  ...(setup === undefined ? {} : { setup }),
})

test('settings are validated by the schema of the manifest, with defaults, and given frozen', async () => {
  let config: unknown
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['token'],
    properties: { token: { type: 'string' }, retries: { type: 'integer', default: 3 }, mode: { enum: ['a', 'b'] } },
  }
  const plugin = it({ config: schema }, (scope) => {
    config = scope.config
  })
  const withConfig = (given: unknown): TestKernelOptions => ({
    settings: () => ({ config: given, from: 'host.yaml: plugins.it' }),
  })
  assert.equal(await started(plugin, withConfig({ token: 'x' })), 'active')
  assert.deepEqual(config, { token: 'x', retries: 3 })
  assert.ok(Object.isFrozen(config))
  const cases: [unknown, RegExp][] = [
    [
      { token: 'x', retrys: 1 },
      /start CONFIG_INVALID: host\.yaml: plugins\.it: \$\.retrys is not a known setting; did you mean "retries"/,
    ],
    [{}, /CONFIG_INVALID: .*\$\.token is missing/],
    [{ token: 7 }, /CONFIG_INVALID: .*\$\.token must be string/],
    [{ token: 'x', mode: 'c' }, /CONFIG_INVALID: .*\$\.mode must be one of \["a","b"\]/],
    [{ token: '${env:NOT_THERE}' }, /SETTING_UNRESOLVED: host\.yaml: plugins\.it: \$\.token names .* NOT_THERE/],
  ]
  for (const [given, message] of cases) assert.match(await started(plugin, { ...withConfig(given), env: {} }), message)
})

test('a config schema that cannot be used, or is far too long, is the fault of the plugin', async () => {
  let deep: object = {}
  for (let at = 0; at < 20_000; at++) deep = { not: deep }
  for (const [config, problem] of [
    [{ properties: { a: { type: 'nonsense' } } }, /\$\.config\.properties\.a\.type must be one of \[.*"string"/],
    [{ $schema: 'http://json-schema.org/draft-07/schema#' }, /its \$schema is not https:.*2020-12/],
    [{ $ref: 'https://example.org/other.json' }, /can't resolve reference/],
    [{ enum: ['x'.repeat(300_000)] }, /longer than 262144 bytes/],
    [deep, /call stack/],
  ] as const) {
    const said = await started(it({ config }))
    assert.match(said, /CONFIG_SCHEMA_INVALID/)
    assert.match(said, problem)
  }
})

test('environment is filled into settings; secrets stay handles, so that no copy of the settings holds one', async () => {
  let config: unknown
  const plugin = it({}, (scope) => {
    config = scope.config
  })
  const settings = (): object => ({ config: { home: '${env:HOME_X}/vms', token: '${secret:cloud}' } })
  assert.equal(await started(plugin, { settings, env: { HOME_X: '/srv' } }), 'active')
  assert.deepEqual(config, { home: '/srv/vms', token: '${secret:cloud}' })
})

test('permissions become grants: places are filled, URLs become host and port, ./ is the data directory', async () => {
  const permissions = [
    'fs:read ${instances.*.metadata.directory}',
    'fs:write ./cache',
    'fs:read ${config.missing}',
    'exec qemu-img',
    'net:connect ${config.endpoint}',
    'net:connect 10.0.0.1:22',
  ]
  const settings = (): object => ({
    config: { endpoint: 'https://api.example.org/v2' },
    variables: { instances: { a: { metadata: { directory: '/vms/a' } }, b: { metadata: { directory: '/vms/b' } }, c: {} } },
    grants: { fsRead: ['/extra'] },
  })
  await using t = await testKernel({ plugins: [it({ permissions })], settings })
  const { grants, state } = await t.kernel.plugins.start('it')
  assert.equal(state.name, 'active')
  assert.deepEqual(grants.fsRead, ['/extra', '/vms/a', '/vms/b'])
  assert.match(grants.fsWrite[0] ?? '', /\/plugins\/demo\/it\/data\/cache$/)
  assert.deepEqual([grants.exec, grants.net], [['qemu-img'], ['api.example.org:443', '10.0.0.1:22']])
})

test('a place is filled by what the operator set, and not by a default, which is the plugin’s own word', async () => {
  const config = { type: 'object', properties: { where: { default: '/root' }, all: { default: { a: '/etc' } } } }
  const permissions = ['fs:read ${config.where}', 'fs:read ${config.all.*}']
  let seen: unknown
  const plugin = it({ permissions, config }, (scope) => void (seen = scope.config))
  await using t = await testKernel({ plugins: [plugin], settings: () => ({ config: { all: { b: '/srv' } } }) })
  const { grants } = await t.kernel.plugins.start('it')
  assert.deepEqual(grants.fsRead, ['/srv'])
  assert.deepEqual(seen, { where: '/root', all: { b: '/srv' } })
})

test('what setup throws is the reason; whatever the plugin opened before is undone', async () => {
  const undone: string[] = []
  const plugin = it({}, (scope) => {
    scope.defer(() => void undone.push('cleanup'))
    throw new Error('no route to host')
  })
  assert.match(await started(plugin), /start RUNTIME_SETUP_FAILED: no route to host/)
  assert.deepEqual(undone, ['cleanup'])
})

test('a plugin that is not ready in time fails, and what it would have become is stopped', async () => {
  const entered = Promise.withResolvers<void>()
  let stopped = 0
  const runtime = inlineRuntime()
  const late = Promise.withResolvers<void>()
  const slow = startingWith(runtime, async (request, start) => {
    entered.resolve()
    await late.promise
    return Object.assign(await start(request), { stop: async () => void (stopped += 1) })
  })
  await using t = await testKernel({ plugins: [it({})], runtimes: [slow], times: { readyMs: 100 } })
  const record = t.kernel.plugins.start('it')
  await entered.promise
  await t.clock.advance(100)
  assert.equal((await record).state.name, 'failed')
  assert.match(failure(t.kernel), /PLUGIN_NOT_READY: demo\/it was not ready within 100 ms/)
  late.resolve()
  await t.clock.advance(1)
  assert.equal(stopped, 1)
})

test('what is declared must be registered, and nothing else', async () => {
  const provide = (name: string, methods: object) => (scope: Scope) => scope.provide(echo, name, methods as never)
  const full = { say: () => '', count: () => [] }
  const declared = { contributes: { 'demo.echo': { x: {} } } }
  assert.equal(await started(it(declared, provide('x', full))), 'active')
  assert.match(await started(it(declared)), /POINT_NOT_PROVIDED: demo\/it declares demo\.echo "x"/)
  assert.match(await started(it(declared, provide('y', full))), /POINT_UNDECLARED/)
  assert.match(await started(it(declared, provide('x', { say: () => '' }))), /POINT_METHOD_MISSING: .*lacks the method count/)
  assert.match(await started(it(declared, provide('__proto__', full))), /POINT_UNDECLARED/)
})

test('a runtime that says more was registered than the manifest declares is not believed', async () => {
  const claiming = (point: string, name: string): Runtime =>
    startingWith(inlineRuntime(), async (request, start) =>
      Object.assign(await start(request), { contributions: [{ point, name, kind: 'provider', methods: ['say', 'count'] }] }),
    )
  const plugin = echoPlugin({ id: 'demo/it', name: 'echo' })
  const nearest = /POINT_UNDECLARED: demo\/it registered demo\.echo "echoo", .*did you mean "echo"/
  assert.match(await started(plugin, { runtimes: [claiming('demo.echo', 'echoo')] }), nearest)
  for (const [point, name] of [
    ['constructor', 'name'],
    ['__proto__', 'toString'],
    ['demo.echo', '__proto__'],
  ] as const) {
    assert.match(await started(plugin, { runtimes: [claiming(point, name)] }), /POINT_UNDECLARED/)
  }
})

test('registering after setup is over is refused', async () => {
  let kept: Scope | undefined
  const plugin = it({ contributes: { 'demo.titles': { late: {} } } }, (scope) => {
    kept = scope
    scope.contribute(titles, 'late', { name: 'in time' })
  })
  await using t = await testKernel({ points, plugins: [plugin] })
  await t.kernel.plugins.start('it')
  assert.throws(() => kept?.contribute(titles, 'late', { name: 'x' }), { code: 'SCOPE_SETUP_OVER' })
  assert.deepEqual(t.kernel.data(titles), [{ plugin: 'demo/it', name: 'late', value: { name: 'in time' } }])
})

test('a value added at run time is validated like a declared one', async () => {
  const plugin = it({ contributes: { 'demo.titles': { late: {} } } }, (scope) =>
    scope.contribute(titles, 'late', { name: 7 } as never),
  )
  assert.match(await started(plugin), /POINT_METADATA_INVALID: .*\["late"\]\.name must be text/)
})

test('a package that changed since it was listed is listed again, and the caller never notices', async () => {
  const changed = new PlatformError('SOURCE_CHANGED', 'changed')
  await using t = await testKernel({ points, plugins: [{ ...echoPlugin(), stageError: changed }] })
  t.source.put(echoPlugin({ version: '2.0.0' }))
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '2.0.0 x')
})

test('a required package that turns out changed at the start of the host is listed again before anything is said of it', async () => {
  const source = inlineSource()
  const manifest = { activation: 'eager', criticality: 'required' } as const
  const now = echoPlugin({ version: '2.0.0', manifest })
  const stale = { ...echoPlugin({ manifest }), stageError: new PlatformError('SOURCE_CHANGED', 'changed') }
  source.put(stale)
  let listings = 0
  const list: typeof source.list = async (signal) => {
    if ((listings += 1) === 2) source.put(now)
    return source.list(signal)
  }
  await using t = await testKernel({ points, sources: [{ ...source, list }] })
  assert.equal(t.kernel.report.ok, true)
  assert.deepEqual(
    t.kernel.report.plugins.map(({ version, state }) => [version, state]),
    [['2.0.0', 'active']],
  )
})

test('a start that failed is not tried again at every call, but after a while', async () => {
  let attempts = 0
  const plugin = { ...echoPlugin(), setup: () => assert.fail(`attempt ${(attempts += 1)}`) }
  await using t = await testKernel({ points, plugins: [plugin] })
  const client = t.kernel.provider(echo, 'echo')
  for (let call = 0; call < 5; call += 1)
    await assert.rejects(client.say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /attempt 1/ })
  await t.clock.advance(1_000)
  await assert.rejects(client.say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /attempt 2/ })
  await t.kernel.plugins.start('echo')
  assert.equal(attempts, 3)
})

test('settings the host cannot read keep one plugin from starting, and only that', async () => {
  const settings = (id: string): object => (id === 'demo/it' ? assert.fail('bad file') : {})
  await using t = await testKernel({ points, plugins: [it({}), echoPlugin()], settings })
  await t.kernel.plugins.start('it')
  assert.match(failure(t.kernel), /start PLUGIN_START_FAILED: demo\/it could not be started: bad file/)
  assert.equal(await t.kernel.provider(echo, 'echo').say('x'), '1.0.0 x')
})

test('each generation gets a directory for handing files over, taken away when it ends; the data directory stays', async () => {
  const seen: { data: string; exchange: string }[] = []
  const plugin = it({}, (scope) => void seen.push(scope.directories))
  await using t = await testKernel({ plugins: [plugin] })
  await t.kernel.plugins.start('it')
  const [given] = seen
  assert.ok(given !== undefined && existsSync(given.data) && existsSync(given.exchange))
  await t.kernel.plugins.disable('it')
  assert.deepEqual([existsSync(given.data), existsSync(given.exchange)], [true, false])
  await t.kernel.plugins.remove('it')
  assert.ok(!existsSync(given.data))
})

test('a provider that is opened needs no methods until it is opened', async () => {
  const plugin = it({ contributes: { 'demo.store': { disk: {} } } }, (scope) =>
    scope.provide(store, 'disk', { open: () => ({ get: () => '' }) as never }),
  )
  await using t = await testKernel({ points, plugins: [plugin] })
  await assert.rejects(t.kernel.provider(store, 'disk').open('x'), {
    code: 'POINT_METHOD_MISSING',
    message: /lacks the method list/,
  })
})

test('what a runtime or a source throws without a code gets one', async () => {
  const failing = startingWith(inlineRuntime(), () => Promise.reject(new Error('spawn ENOENT')))
  assert.match(await started(it({}), { runtimes: [failing] }), /start PLUGIN_START_FAILED: .*spawn ENOENT/)
  assert.match(await started({ ...it({}), stageError: new Error('EIO') }), /start PLUGIN_START_FAILED: .*EIO/)
})

test('a plugin that breaks its contract fails with that, also where its tier does not stop it', async () => {
  for (const stop of [() => new Promise<void>(() => undefined), () => Promise.reject(new Error('stuck'))]) {
    const stuck = startingWith(inlineRuntime(), async (request, start) =>
      Object.defineProperty(await start(request), 'stop', { value: stop }),
    )
    const plugin = { ...echoPlugin(), setup: () => undefined }
    const runtimes = [{ ...stuck, [Symbol.asyncDispose]: () => Promise.resolve() }]
    await using t = await testKernel({ points, plugins: [plugin], runtimes })
    const over = new AbortController()
    const starting = t.kernel.plugins.start('demo/echo').finally(() => over.abort())
    while (!over.signal.aborted) await t.clock.advance(1_000)
    const { state } = await starting
    assert.equal(state.name === 'failed' && state.failure.code, 'POINT_NOT_PROVIDED')
  }
})
