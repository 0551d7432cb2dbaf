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

test('what indexes warn of stops packages from outside, whatever the policy is when it is read again, and nothing of the host', async (t) => {
  const root = await temporaryDirectory(t)
  await writeFile(join(root, 'trust.json'), '{"allowUnsigned": true}')
  await writeFile(join(root, 'config.yaml'), 'plugins:\n  trust_policy: ./trust.json\ndata_directory: ./data\n')
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  const subject = { version: '1.0.0', source: 'npm:@acme/s3', digest: `sha256:${'0'.repeat(64)}`, attestations: [] }
  const may = (origin: 'bundled' | 'external', id: string): boolean => trust.judge({ ...subject, id, origin }).ok
  assert.deepEqual([may('external', 'acme/s3'), may('bundled', 'host/own')], [true, true])
  trust.advise([{ id: 'X-1', plugin: '*', versions: '*', summary: 'all of it', action: 'disable' }])
  assert.deepEqual([may('external', 'acme/s3'), may('bundled', 'host/own')], [false, true])
  await trust.reload()
  assert.equal(may('external', 'acme/s3'), false)
  trust.advise([])
  assert.equal(may('external', 'acme/s3'), true)
})

test('nothing from outside is taken under the id of what ships with the host, whatever the policy allows', async (t) => {
  const root = await temporaryDirectory(t)
  await writeFile(join(root, 'trust.json'), '{"allowUnsigned": true}')
  await writeFile(join(root, 'config.yaml'), 'plugins:\n  trust_policy: ./trust.json\ndata_directory: ./data\n')
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  const offered = { version: '99.0.0', source: 'npm:@acme/libvirt', digest: `sha256:${'0'.repeat(64)}`, attestations: [] }
  const judged = (origin: 'bundled' | 'external', id: string) => trust.judge({ ...offered, id, origin })
  assert.deepEqual([judged('external', 'acme/libvirt').ok, judged('bundled', 'hypersdk/libvirt').ok], [true, true])
  const { ok, rules } = judged('external', 'hypersdk/libvirt')
  const refused = rules.find(({ rule }) => rule === 'publisher')
  assert.deepEqual([ok, refused?.outcome], [false, 'refused'])
  assert.match(String(refused?.reason), /^hypersdk\/libvirt ships with this host/)
})

test('a scanner that is a plugin counts when a publisher signed it or its digest is named, and needs no other plugin', async (t) => {
  const root = await temporaryDirectory(t)
  const digest = `sha256:${'1'.repeat(64)}`
  await writeFile(join(root, 'trust.json'), '{"allowUnsigned": true}')
  const scanners = `{ signed: { plugin: acme/signed }, named: { plugin: acme/named, digest: "${digest}" } }`
  await writeFile(
    join(root, 'config.yaml'),
    `plugins:\n  trust_policy: ./trust.json\n  scanners: ${scanners}\ndata_directory: ./data\n`,
  )
  const config = await loadConfig('config.yaml', {}, { env: { HOME: root }, uid: 1000, cwd: root })
  const trust = await pluginTrust(config, { log, store: memoryStore() })
  const judged = (id: string, digestOf: string) =>
    trust.judge({ id, version: '1.0.0', origin: 'external', source: 'npm:x', digest: digestOf, attestations: [] })
  const refusal = (id: string, digestOf: string): string => {
    const { reason = '', fix = '' } = judged(id, digestOf).rules.find(({ outcome }) => outcome === 'refused') ?? {}
    return `${reason}: ${fix}`
  }
  assert.equal(judged('acme/other', digest).ok, true)
  assert.match(
    refusal('acme/signed', digest),
    /scanner signed, which no other plugin looks through.*plugins\.scanners\.signed\.digest: sha256:1/,
  )
  assert.equal(judged('acme/named', digest).ok, true)
  assert.match(
    refusal('acme/named', `sha256:${'2'.repeat(64)}`),
    /of which plugins\.scanners\.named\.digest takes sha256:1+ alone/,
  )

  const { signal } = new AbortController()
  const about = { id: 'acme/named', version: '1.0.0', requires: { api: '*', capabilities: { 'acme.login': '*' } }, digest }
  const rules = async (more: object): Promise<readonly string[] | undefined> =>
    (await trust.scan({ ...about, ...more }, async () => [], signal))?.map(({ rule }) => rule)
  assert.deepEqual(await rules({}), ['named/needs-others'])
  assert.deepEqual(
    await rules({ id: 'acme/other' }),
    ['signed/not-run', 'named/not-run'],
    'nobody can be asked before there is a kernel',
  )
})
