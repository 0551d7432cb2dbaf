import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { createKernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { bundled } from '@backplane/sources'
import { temporaryDirectory } from '@backplane/testing'
import { afterExport, beforeExport, provider } from '@hypersdk/points'
import { bundledIgnore, bundledPluginFolders, hostModules } from '../daemon/bundled-plugins.ts'
import type { HostConfig } from '../config/host-config.ts'
import { loadConfig } from '../config/load-config.ts'
import { placesNamed } from './own-network.ts'
import { pluginPolicy } from './plugin-settings.ts'

test(
  'under the daemon’s policy the digitalocean plugin reaches its endpoint and nothing else, with no waiver',
  { timeout: 60_000 },
  async (t) => {
    const seen: (string | undefined)[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.setHeader('content-type', 'application/json').end('{"droplets":[],"links":{},"meta":{"total":0}}')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const endpoint = `http://127.0.0.1:${port}`
    const root = await temporaryDirectory(t)
    await writeFile(join(root, 'config.yaml'), '{}')
    const config = await loadConfig(join(root, 'config.yaml'), {}, { env: { HOME: root }, uid: 1000, cwd: root })
    const id = 'hypersdk/digitalocean'
    await using kernel = await createKernel({
      host: { name: 'hypervisord', api: '1.0.0' },
      points: [provider, beforeExport, afterExport],
      sources: [bundled(bundledPluginFolders(), { store: join(root, 'store'), ignore: bundledIgnore })],
      runtimes: [confined({ modules: hostModules(), temporaryDirectory: root })],
      settings: () => ({ variables: { instances: { cloud: { endpoint } } } }),
      policy: pluginPolicy(config),
      dataDirectory: join(root, 'data'),
      log: { write: () => undefined },
    })
    const open = (to: string) =>
      kernel.provider(provider, 'digitalocean').open({ type: 'digitalocean', endpoint: to, metadata: { token: 'dop_v1_own' } })
    await using near = await open(endpoint)
    assert.deepEqual(await near.listVms({}), [])
    assert.deepEqual(seen, ['Bearer dop_v1_own'])
    const { enforcement } = kernel.plugins.get(id) ?? assert.fail('it is gone')
    const entry = enforcement.find(({ what }) => what === 'net:connect')
    assert.deepEqual([entry?.level, entry?.mechanism.includes('waived')], ['exact', false])
    await using far = await open(`http://localhost:${port}`)
    await assert.rejects(far.listVms({}), /may not connect to localhost/)
    assert.equal(seen.length, 1)
  },
)

test('what the operator names among a provider’s options may be in a private network; nothing else is named', () => {
  const options = {
    endpoint: 'https://vcenter.Corp.example/sdk',
    nested: { list: ['http://proxmox.lan:8006', 'nas.lan:2049', 'ftp://no.lan'] },
    token: '${secret:https://in.a.secret}',
    port: 443,
    from: 'https://${env:CLOUD_HOST}',
  }
  const config = { providers: new Map([['lab', { type: 'x', options }]]) } as unknown as HostConfig
  assert.deepEqual(
    [...placesNamed(config, { CLOUD_HOST: 'cloud.lan' })],
    ['vcenter.corp.example:443', 'proxmox.lan:8006', 'nas.lan:2049', 'cloud.lan:443'],
  )
})

test('what is waived for bundled plugins is waived only where they may start programs', async (t) => {
  const root = await temporaryDirectory(t)
  await writeFile(join(root, 'config.yaml'), '{}')
  const { waive } = pluginPolicy(await loadConfig(join(root, 'config.yaml'), {}, { env: { HOME: root }, uid: 1000, cwd: root }))
  const waived = (exec: readonly string[], origin: 'bundled' | 'external'): readonly string[] | undefined =>
    waive?.({
      id: 'acme/tool',
      origin,
      tier: 'confined',
      grants: { fsRead: [], fsWrite: [], exec, net: ['a.example:443'], host: [] },
    })
  assert.deepEqual(waived(['qemu-img'], 'bundled'), ['exec', 'net:connect', 'fs'])
  assert.deepEqual([waived([], 'bundled'), waived(['qemu-img'], 'external')], [[], []])
})
