import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'

const isCompilerLoaded = (): boolean =>
  Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('/node_modules/ajv/'))

test('the schema compiler is loaded by the first start that has a config schema, not by any start of a kernel', async () => {
  const plugin = { manifest: { id: 'demo/it', config: { type: 'object', properties: { size: { type: 'integer' } } } } }
  await using t = await testKernel({
    plugins: [plugin, { manifest: { id: 'demo/plain' } }],
    settings: () => ({ config: { size: 1 } }),
  })
  await t.kernel.plugins.start('plain')
  assert.ok(!isCompilerLoaded())
  assert.equal((await t.kernel.plugins.start('it')).state.name, 'active')
  assert.ok(isCompilerLoaded())
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
