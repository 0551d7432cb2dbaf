import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { pluginSettings } from './plugin-settings.ts'
import { declaredManifest } from '../fixtures/declared-manifest.ts'

async function criticalityOf(t: TestContext, id: string, text = ''): Promise<string | undefined> {
  const cwd = await temporaryDirectory(t)
  await writeFile(join(cwd, 'config.yaml'), text)
  const config = await loadConfig('config.yaml', {}, { env: { HOME: cwd }, uid: 1000, cwd })
  return pluginSettings(config, {})(id, declaredManifest(id, [], 'required')).criticality
}

test('a plugin from outside is required only when the operator says so; one that ships with the daemon says it itself', async (t) => {
  assert.equal(await criticalityOf(t, 'acme/guard'), 'optional')
  assert.equal(
    await criticalityOf(t, 'acme/guard', 'plugins: { per_plugin: { guard: { criticality: required } } }\n'),
    'required',
  )
  assert.equal(await criticalityOf(t, 'hypersdk/libvirt'), undefined)
})
