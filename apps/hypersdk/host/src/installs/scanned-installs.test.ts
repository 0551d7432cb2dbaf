import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { memoryStore } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import type { InstallPlan } from '@backplane/server'
import type { TrustPolicy } from '@backplane/trust'
import { loadConfig } from '../config/load-config.ts'
import { hostLog } from '../daemon/host-log.ts'
import { pluginTrust } from '../daemon/plugin-trust.ts'
import { Redactor } from '../secrets/redactor.ts'
import { hostInstalls } from './host-installs.ts'
import { fetcherPlaces, packageFetchers } from './package-fetchers.ts'

const { signal } = new AbortController()

/** Plans the install of a plugin that starts programs. */
async function planned(t: TestContext, policy: TrustPolicy, settings = ''): Promise<InstallPlan> {
  const root = await temporaryDirectory(t)
  const folder = join(root, 'offered/runner')
  await mkdir(folder, { recursive: true })
  const manifest = { schemaVersion: 1, id: 'acme/runner', version: '1.0.0', requires: { api: '*' } }
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(
    join(folder, 'index.js'),
    "import { exec } from 'node:child_process'\nexport default { setup: () => exec('ls') }\n",
  )
  await writeFile(join(root, 'trust.json'), JSON.stringify({ allowUnsigned: true, ...policy }))
  const text = `plugins:\n  trust_policy: ./trust.json\n  sources: { directories: [./offered] }\n${settings}data_directory: ./data\n`
  await writeFile(join(root, 'config.yaml'), text)
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const redactor = new Redactor()
  const log = hostLog({ level: 'error', pretty: false, redactor, write: () => undefined })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  const handles = { env: {}, broker: { resolve: async () => undefined } }
  const fetchers = await packageFetchers(config.plugins.sources, fetcherPlaces(config.dataDirectory), { handles, redactor })
  const installs = await hostInstalls({ config, trust, fetchers, paths: () => [] })
  return installs.plan([{ kind: 'add', reference: folder }], { signal })
}

test('what is installed is looked through: code that starts programs is refused until the policy accepts it', async (t) => {
  await assert.rejects(planned(t, {}), {
    code: 'INSTALL_REFUSED',
    message: /static\/child-process.*index\.js:1/,
    hint: /acceptedFindings: {"acme\/runner": {"static\/child-process"/,
  })
  const accepted = await planned(t, { acceptedFindings: { 'acme/runner': { 'static/child-process': 'it lists files' } } })
  assert.equal(accepted.steps.length, 1)
})

test('with scan: false nothing is looked through', async (t) => {
  assert.equal((await planned(t, {}, '  scan: false\n')).steps.length, 1)
})
