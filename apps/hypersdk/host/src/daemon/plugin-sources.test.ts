import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { directoryFetcher, Installer } from '@backplane/sources/install'
import { temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { listedPlugins } from './plugin-sources.ts'
import { unmatchedNames, unprovidedTypes } from './unmatched-names.ts'

const options = { signal: new AbortController().signal }

test('a plugin that is installed is known when the configuration is checked', async (t) => {
  const root = await temporaryDirectory(t)
  await mkdir(join(root, 'leak'))
  const contributes = { 'hypersdk.provider': { leaks: {} } }
  const manifest = { schemaVersion: 1, id: 'acme/leak', version: '1.0.0', requires: { api: '^1.0.0' }, contributes }
  await writeFile(join(root, 'leak/plugin.json'), JSON.stringify(manifest))
  const text = `data_directory: ./data
plugins: { config: { acme/leak: {}, acme/loak: {} }, providers: { lekas: { timeout: 5s } } }
providers: { a: { type: leaks }, b: { type: libvrt }, libvirt: {} }
`
  await writeFile(join(root, 'config.yaml'), text)
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  assert.ok(!(await listedPlugins(config)).ids.includes('acme/leak'))
  const installer = new Installer({
    lock: config.plugins.lock,
    store: join(config.dataDirectory, 'installed'),
    fetchers: [directoryFetcher({ from: root })],
    judge: () => ({ ok: true, trust: 'unsigned', rules: [] }),
    acceptManifest,
    hostApi: '1.0.0',
  })
  await installer.apply(await installer.plan([{ kind: 'add', reference: './leak' }], options), {}, options)
  const { ids, types } = await listedPlugins(config)
  const told = 'plugins.config: there is no plugin acme/loak now; did you mean "acme/leak"?'
  assert.deepEqual(unmatchedNames(config.plugins, ids), [told])
  assert.ok(types.includes('leaks') && types.includes('libvirt'), 'bundled ones are among them')
  assert.deepEqual(unprovidedTypes(config, types), [
    'providers.b: no plugin provides libvrt now; did you mean "libvirt"?',
    'plugins.providers: no plugin provides lekas now; did you mean "leaks"?',
  ])
})
