import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { inlineSource, testKernel } from '@backplane/testing'
import { echo, echoPlugin, points, store } from '../fixtures/demo-points.ts'
import type { Failure, PluginRecord } from '../index.ts'
import { Points } from '../points/points.ts'
import { check } from './check.ts'

const failureOf = (record: PluginRecord | undefined): Failure | undefined =>
  record?.state.name === 'failed' ? record.state.failure : undefined

async function checked(manifest: Readonly<Record<string, unknown>>, policy = {}): Promise<PluginRecord | undefined> {
  let ran = false
  const setup = (): void => {
    ran = true
  }
  const plugin = { manifest: { id: 'demo/it', ...manifest }, setup }
  await using t = await testKernel({ points, policy, plugins: [plugin] })
  const [record] = t.kernel.plugins.list()
  assert.ok(!ran)
  return record
}

test('an unknown key is an error that names the nearest known one and where it is', async () => {
  const cases: [Readonly<Record<string, unknown>>, RegExp][] = [
    [{ permisions: [] }, /\/inline\/demo\/it\/plugin\.json: \$\.permisions is not a known key; did you mean "permissions"\?/],
    [{ limits: { memry: '1MiB' } }, /\$\.limits\.memry is not a known key; did you mean "memory"\?/],
    [{ dependencies: [{ id: 'a/b', range: '*', optinal: true }] }, /\$\.dependencies\[0\]\.optinal .*"optional"/],
    [{ requires: { api: '*', node: '*' } }, /\$\.requires\.node is not a known key/],
    [JSON.parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>, /\$\.__proto__ is not a known key/],
  ]
  for (const [manifest, message] of cases) {
    const own = Object.fromEntries([...Object.entries({ id: 'demo/it', schemaVersion: 1 }), ...Object.entries(manifest)])
    const failure = failureOf(await checked(own))
    assert.equal(failure?.code, 'MANIFEST_UNKNOWN_KEY')
    assert.equal(failure.stage, 'check')
    assert.match(failure.message, message)
    assert.ok(failure.hint)
  }
  assert.equal(Reflect.get({}, 'polluted'), undefined)
})

/** One more than a manifest may have. */
const many = (value: unknown, before = ''): object =>
  Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`${before}n${at}`, value]))

test('a manifest of the wrong shape names the place and what is wrong there', async () => {
  const cases: [Readonly<Record<string, unknown>>, RegExp][] = [
    [{ version: '1' }, /\$\.version must match pattern/],
    [{ schemaVersion: 2 }, /\$\.schemaVersion must be 1/],
    [{ requires: {} }, /\$\.requires\.api is missing/],
    [{ runtime: ['trusting'] }, /\$\.runtime\[0\] must be one of \["trusted"/],
    [{ main: '../outside.js' }, /\$\.main must match pattern/],
    [{ contributes: { 'demo.echo': { __proto__x: {} } } }, /must not hold the key "__proto__x"/],
    [{ contributes: [] }, /\$\.contributes must be object/],
    [{ contributes: { 'demo.echo': many({}) } }, /\$\.contributes\["demo\.echo"\] must NOT have more than 256 properties/],
    [{ contributes: many({}, 'demo.') }, /\$\.contributes must NOT have more than 256 properties/],
    [{ provides: many('1.0.0', 'demo.') }, /\$\.provides must NOT have more than 256 properties/],
    [{ requires: { api: '*', capabilities: many('*', 'demo.') } }, /capabilities must NOT have more than 256 properties/],
    [
      { dependencies: Array.from({ length: 257 }, () => ({ id: 'a/b', range: '*' })) },
      /\$\.dependencies must NOT have more than 256 items/,
    ],
    [{ tags: Array.from({ length: 257 }, () => 'x') }, /\$\.tags must NOT have more than 256 items/],
    [{ permissions: Array.from({ length: 257 }, (_, at) => `exec p${at}`) }, /\$\.permissions must NOT have more than 256 items/],
  ]
  for (const [manifest, message] of cases) {
    const record = await checked(manifest)
    assert.equal(failureOf(record)?.code, 'MANIFEST_INVALID', JSON.stringify(manifest))
    assert.match(failureOf(record)?.message ?? '', message)
    assert.equal(record?.id, 'demo/it')
  }
})

test('a manifest that is not even an object is kept under its path', async () => {
  for (const manifest of [null, 'text', 7, []]) {
    const source = inlineSource()
    const list = async () => ({
      packages: [{ manifest, manifestPath: '/x/plugin.json', path: '/x', fingerprint: '1', stage: () => assert.fail() }],
      problems: [],
    })
    await using other = await testKernel({ sources: [{ ...source, list }] })
    const [record] = other.kernel.plugins.list()
    assert.equal(record?.id, '/x')
    assert.equal(record.version, '0.0.0')
    assert.equal(failureOf(record)?.code, 'MANIFEST_INVALID')
  }
})

test('a package that cannot be read is a failed plugin with the reason of its source', async () => {
  await using t = await testKernel()
  const error = { code: 'SOURCE_JSON_INVALID', message: 'line 3: expected a comma', retryable: false, hint: 'Correct it.' }
  t.source.putProblem({ path: '/plugins/bad', error })
  await t.kernel.plugins.refresh()
  const failure = failureOf(t.kernel.plugins.get('/plugins/bad'))
  assert.deepEqual(failure, { stage: 'discover', code: 'SOURCE_JSON_INVALID', message: error.message, hint: 'Correct it.' })
})

test('a plugin for another API never runs', async () => {
  const failure = failureOf(await checked({ requires: { api: '^2.0.0' } }))
  assert.equal(failure?.code, 'API_INCOMPATIBLE')
  assert.match(failure.message, /demo\/it needs API \^2\.0\.0, but test-host offers 1\.0\.0/)
  assert.equal(failureOf(await checked({ requires: { api: 'latest' } }))?.code, 'API_INCOMPATIBLE')
})

test('policy keeps a plugin off by id or bare name, and the allow-list wins over the deny-list', async () => {
  const denied = await checked({}, { deny: ['it'] })
  assert.deepEqual(denied?.state, { name: 'disabled', reason: 'it is on the deny-list' })
  assert.equal((await checked({}, { deny: ['demo/it'] }))?.state.name, 'disabled')
  assert.equal((await checked({}, { deny: ['demo/other'] }))?.state.name, 'idle')
  assert.equal((await checked({}, { allow: ['it'], deny: ['it'] }))?.state.name, 'idle')
  const unlisted = await checked({}, { allow: ['other'] })
  assert.deepEqual(unlisted?.state, { name: 'disabled', reason: 'it is not on the allow-list' })
})

test('calls of a denied plugin are refused with the reason, and enabling it is refused too', async () => {
  await using t = await testKernel({ points, policy: { deny: ['echo'] }, plugins: [echoPlugin()] })
  await assert.rejects(t.kernel.provider(echo, 'echo').say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /on the deny-list/ })
  await assert.rejects(t.kernel.plugins.enable('demo/echo'), { code: 'POLICY_DENIED' })
  const [user] = t.kernel.contributions(echo)
  assert.deepEqual([user?.available, user?.reason], [false, 'it is on the deny-list'])
})

test('what a point is given is validated by its schema', async () => {
  const failure = failureOf(await checked({ contributes: { 'demo.store': { disk: { colour: 'red' } } } }))
  assert.equal(failure?.code, 'POINT_METADATA_INVALID')
  assert.match(failure.message, /demo\/it: contributes\["demo\.store"\]\["disk"\] must have no colour/)
  const value = failureOf(await checked({ contributes: { 'demo.titles': { main: { name: 1 } } } }))
  assert.match(value?.message ?? '', /\["main"\]\.name must be text/)
  for (const order of [{ phase: 'soon' }, { before: 'a/b' }, { after: [1] }]) {
    const wrong = failureOf(await checked({ contributes: { 'demo.pipe': { it: order } } }))
    assert.equal(wrong?.code, 'POINT_METADATA_INVALID')
  }
})

test('a point this host does not have is kept with a note, not refused', async () => {
  const record = await checked({ contributes: { 'demo.stor': { x: { anything: 1 } } } })
  assert.equal(record?.state.name, 'idle')
  assert.deepEqual(record.notes, ['this host has no point demo.stor; did you mean "demo.store"?'])
  assert.deepEqual(record.manifest?.contributes, { 'demo.stor': { x: { anything: 1 } } })
})

test('a permission of no known kind is refused before anything runs', async () => {
  for (const permission of ['fs:delete /x', 'exec', 'net:connect', 'run everything']) {
    assert.equal(failureOf(await checked({ permissions: [permission] }))?.code, 'PERMISSION_INVALID', permission)
  }
})

test('nothing is started for listing, contributions or data', async () => {
  const plugin = {
    manifest: { id: 'demo/it', contributes: { 'demo.store': { disk: {} }, 'demo.titles': { main: { name: 'Main' } } } },
    setup: () => assert.fail('started'),
  }
  await using t = await testKernel({ points, plugins: [plugin] })
  assert.equal(t.kernel.contributions(store)[0]?.name, 'disk')
  assert.equal(t.kernel.plugins.list()[0]?.state.name, 'idle')
})

test('no manifest, however wrong, makes the check throw or say nothing', () => {
  const context = {
    host: { name: 'test-host', api: '1.0.0' },
    policy: {},
    options: {},
    points: new Points(points, { write: () => undefined }),
  }
  const wellFormed = { schemaVersion: 1, id: 'demo/it', version: '1.0.0', requires: { api: '*' } }
  const key = fc.constantFrom(
    'id',
    'version',
    'contributes',
    'permissions',
    'dependencies',
    'limits',
    'config',
    'requires',
    '__proto__',
    'x',
  )
  const damaged = fc
    .dictionary(key, fc.jsonValue())
    .map((members) => Object.fromEntries([...Object.entries(wellFormed), ...Object.entries(members)]))
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), damaged), (manifest) => {
      const { manifest: accepted, failure } = check(
        { manifest, manifestPath: '/x', path: '/x', fingerprint: '1', stage: () => assert.fail() },
        undefined,
        context,
      )
      assert.ok(accepted !== undefined || failure !== undefined)
      assert.equal(Reflect.get({}, 'x'), undefined)
    }),
    { numRuns: 500 },
  )
})
