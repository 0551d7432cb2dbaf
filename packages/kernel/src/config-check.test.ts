import assert from 'node:assert/strict'
import { createRequire, registerHooks } from 'node:module'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'

const isCompilerLoaded = (): boolean =>
  Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('/node_modules/ajv/'))

test('the schema compiler is loaded by the first start that has a config schema, not by any start of a kernel', async (t) => {
  const loaded: string[] = []
  const hooks = registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
  t.after(() => hooks.deregister())
  const plugin = { manifest: { id: 'demo/it', config: { type: 'object', properties: { size: { type: 'integer' } } } } }
  await using demo = await testKernel({
    plugins: [plugin, { manifest: { id: 'demo/plain' } }],
    settings: () => ({ config: { size: 1 } }),
  })
  await demo.kernel.plugins.start('plain')
  assert.ok(!isCompilerLoaded())
  assert.equal(loaded.length, 0)
  assert.equal((await demo.kernel.plugins.start('it')).state.name, 'active')
  assert.ok(isCompilerLoaded())
  assert.ok(loaded.some((url) => url.includes('/generated/schema-check.')))
})

test('a setting with a misspelled name is told before the one that is missing for it', async () => {
  const config = { type: 'object', additionalProperties: false, required: ['bucket'], properties: { bucket: {} } }
  await using t = await testKernel({
    plugins: [{ manifest: { id: 'demo/it', config } }],
    settings: () => ({ config: { bukcet: 'x' } }),
  })
  const { state } = await t.kernel.plugins.start('it')
  assert.match(JSON.stringify(state), /bukcet is not a known setting; did you mean \\"bucket\\"/)
})

test('settings are checked by the schema, whatever it says of itself, and in a time that ends', async () => {
  const slow = { type: 'object', properties: { a: { default: `${'a'.repeat(60)}!`, pattern: '^(a+)+$' } } }
  for (const [config, problem] of [
    [{ $async: true, type: 'object', required: ['bucket'] }, /\$async is no keyword/],
    [{ type: 'object', properties: { a: { $async: true, type: 'integer' } } }, /async schema in sync schema/],
    [slow, /takes longer than 2000 ms/],
  ] as const) {
    await using t = await testKernel({ plugins: [{ manifest: { id: 'demo/it', config } }] })
    const { state } = await t.kernel.plugins.start('it')
    assert.ok(state.name === 'failed')
    assert.equal(state.failure.code, 'CONFIG_SCHEMA_INVALID')
    assert.match(state.failure.message, problem)
  }
})
