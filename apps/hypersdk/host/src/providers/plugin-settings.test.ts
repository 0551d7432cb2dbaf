import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Grants, PluginSettings } from '@backplane/kernel'
import { mayRun } from '@backplane/sdk/plugin-names'
import { temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { pluginPolicy, pluginSettings } from './plugin-settings.ts'
import { declaredManifest } from '../fixtures/declared-manifest.ts'

const text = `plugins:
  allow: [s3, other]
  config: { s3: { token: '\${secret:s3}' } }
  waive: { s3: [exec] }
  audit: [s3]
  per_plugin: { s3: { tier: trusted, criticality: fail-closed, limits: { memory: 64MiB } } }
secrets: { allow: { s3: [team-*] } }
`

test('a stranger’s package of the same name takes no settings, secrets, waivers or tier, and gets rid of no limit', async (t) => {
  const cwd = await temporaryDirectory(t)
  await writeFile(join(cwd, 'config.yaml'), text)
  const config = await loadConfig('config.yaml', {}, { env: { HOME: cwd }, uid: 1000, cwd })
  let ids = ['acme/s3', 'acme/other']
  const idsNamed = (name: string): readonly string[] => ids.filter((id) => id.endsWith(`/${name}`))
  const settings = pluginSettings(config, {}, idsNamed)
  const policy = pluginPolicy(config, { idsNamed })
  const grants: Grants = { exec: [], fsRead: [], fsWrite: [], net: [], host: [] }
  const said = (id: string): PluginSettings => {
    return settings(id, declaredManifest(id))
  }
  const of = (id: string): readonly unknown[] => {
    const { config: own, tier, secrets, audit } = said(id)
    const waived = policy.waive?.({ id, origin: 'external', tier: 'confined', grants })
    return [own !== undefined, tier, secrets?.length, waived?.length, mayRun(id, policy).ok, audit]
  }
  assert.deepEqual(of('acme/s3'), [true, 'trusted', 1, 1, true, true])
  ids = [...ids, 'evil/s3']
  for (const id of ['acme/s3', 'evil/s3']) {
    assert.deepEqual(of(id), [false, undefined, 0, 0, false, false], id)
    assert.deepEqual([said(id).criticality, said(id).limits?.memoryMiB], ['fail-closed', 64], id)
  }
  assert.equal(mayRun('acme/other', policy).ok, true)
  const denying = pluginPolicy({ ...config, plugins: { ...config.plugins, allow: undefined, deny: ['s3'] } }, { idsNamed })
  assert.deepEqual(
    ['acme/s3', 'evil/s3'].map((id) => mayRun(id, denying).ok),
    [false, false],
    'what takes away takes from both',
  )
})
