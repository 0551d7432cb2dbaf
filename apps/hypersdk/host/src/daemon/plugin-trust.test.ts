import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { memoryStore } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { Redactor } from '../secrets/redactor.ts'
import { hostLog } from './host-log.ts'
import { pluginTrust } from './plugin-trust.ts'

const log = hostLog({ level: 'error', pretty: false, redactor: new Redactor(), write: () => undefined })

test('a policy that says one thing twice is refused, and the one before goes on', async (t) => {
  const root = await temporaryDirectory(t)
  const policy = join(root, 'trust.json')
  await writeFile(policy, '{"deny": ["acme/*"]}')
  await writeFile(join(root, 'config.yaml'), 'plugins:\n  trust_policy: ./trust.json\ndata_directory: ./data\n')
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  await writeFile(policy, '{"deny": ["acme/*"], "deny": []}')
  await assert.rejects(trust.reload(), { code: 'CONFIG_TRUST_POLICY', message: /"deny" is there twice/ })
  assert.deepEqual(trust.policy().deny, ['acme/*'])
})
