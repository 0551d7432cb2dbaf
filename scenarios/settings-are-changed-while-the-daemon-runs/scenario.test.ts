import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'

const manifest = {
  schemaVersion: 1,
  id: 'acme/tagger',
  version: '1.0.0',
  main: 'index.js',
  requires: { api: '^1.0.0' },
  contributes: { 'hypersdk.provider': { tagger: { capabilities: { supported_formats: ['raw'] } } } },
  config: {
    type: 'object',
    additionalProperties: false,
    properties: { tag: { type: 'string', default: 'none' }, token: { type: 'string' }, steal: { type: 'string' } },
  },
}

/** A provider whose one machine carries its settings as tags. */
const code = `
import { definePlugin } from '@backplane/sdk'
import { provider } from '@hypersdk/points'
export default definePlugin((scope) => {
  if (scope.config.tag === 'boom') throw new Error('it does not like this tag')
  const machine = async (options) => {
    const secret = scope.config.token === undefined ? 'no token' : (await scope.secrets.get(scope.config.token)).length
    const stolen = await scope.secrets.get(scope.config.steal ?? 'others').then(() => 'got it', (error) => error.code)
    const tags = { tag: scope.config.tag, secret: String(secret), stolen, region: options.region ?? 'none' }
    return { id: 'vm/1', name: 'vm', state: 'POWERED_ON', memory_mb: 2048, num_cpus: 2, tags }
  }
  scope.provide(provider, 'tagger', {
    open: (options) => ({
      validateCredentials: () => null,
      listVms: async () => [await machine(options)],
      getVm: () => machine(options),
      searchVms: async () => [await machine(options)],
      exportVm: async function* () {},
    }),
  })
})
`

async function places(t: TestContext, config: string): Promise<Places> {
  const made = await makePlaces(t, `plugins: { directories: [./plugins], config: {${config}} }\nsecrets: { files: ./secrets }\n`)
  const folder = join(made.plugins, 'tagger')
  await mkdir(folder)
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  await writeFile(join(folder, 'index.js'), code)
  await mkdir(join(made.root, 'secrets'), { mode: 0o700 })
  for (const name of ['mine', 'others']) await writeFile(join(made.root, 'secrets', name), `${name}-canary`, { mode: 0o600 })
  return made
}

async function tags(daemon: Hypervisord, instance = 'tagger'): Promise<Readonly<Record<string, string>>> {
  const { status, body, text } = await daemon.get(`/api/providers/${instance}/vms`)
  assert.equal(status, 200, text)
  return body.vms[0].tags
}

/** Changes the file, tells the daemon, and waits until it says that it is done. */
async function reload(daemon: Hypervisord, change: (yaml: string) => string, end: RegExp): Promise<string> {
  await Hypervisord.configure(daemon.places, change)
  const { length } = daemon.output
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => end.test(daemon.output.slice(length)))
  return daemon.output.slice(length)
}

const done = /configuration and plugins reloaded/

// Each has a daemon of its own, and waits more than it works.
describe('settings', { concurrency: 2 }, () => {
  test('changed settings become a new generation on SIGHUP, and a plugin that does not take them goes on with the old ones', async (t) => {
    const daemon = await Hypervisord.start(await places(t, 'tagger: { tag: one }'))
    assert.equal((await tags(daemon))['tag'], 'one')
    const { generation } = await daemon.plugin('tagger')
    await reload(daemon, (yaml) => yaml.replace('tag: one', 'tag: two'), done)
    assert.equal((await tags(daemon))['tag'], 'two')
    assert.ok((await daemon.plugin('tagger')).generation > generation)
    const refused = await reload(daemon, (yaml) => yaml.replace('tag: two', 'tag: boom'), done)
    assert.match(refused, /it does not like this tag.*does not take its new settings/)
    assert.equal((await tags(daemon))['tag'], 'two')
    const wrong = await reload(daemon, (yaml) => yaml.replace('tag: boom', 'tga: three'), done)
    assert.match(wrong, /does not take its new settings/)
    assert.match(wrong, /config\.yaml:6:\d+: plugins\.config\.tagger: \$\.tga is not a known setting; did you mean \\"tag\\"/)
    assert.equal((await tags(daemon))['tag'], 'two')
    await reload(daemon, (yaml) => yaml.replace('tga: three', 'tag: four'), done)
    assert.equal((await tags(daemon))['tag'], 'four')
    await reload(daemon, (yaml) => yaml.replace('tagger: { tag: four }', ''), done)
    assert.equal((await tags(daemon))['tag'], 'none', 'settings that are gone are gone')
  })

  test('a broken file changes nothing and says where it is broken; what only a restart takes up is said', async (t) => {
    const daemon = await Hypervisord.start(await places(t, 'tagger: { tag: one }'))
    assert.equal((await tags(daemon))['tag'], 'one')
    const { generation } = await daemon.plugin('tagger')
    const end = /not reloaded; what was read before goes on/
    const broken = await reload(daemon, (yaml) => yaml.replace('tag: one', 'tag: two').replace('exports:', 'expotrs:'), end)
    assert.match(broken, /config\.yaml:\d+:\d+: expotrs: .*exports/)
    assert.deepEqual([(await tags(daemon))['tag'], (await daemon.plugin('tagger')).generation], ['one', generation])
    const later = await reload(
      daemon,
      (yaml) => yaml.replace('expotrs:', 'exports:').replace('drain_timeout: 20s', 'drain_timeout: 10s'),
      done,
    )
    assert.match(later, /exports was changed; that counts from the next start on/)
    assert.equal((await tags(daemon))['tag'], 'two')
    const records = (await daemon.get('/api/audit?action=config.reload')).body.records
    assert.deepEqual(
      records.map(({ outcome }: { outcome: string }) => outcome),
      ['ok', 'refused'],
    )
  })

  test('a SIGHUP that comes while the daemon starts does not end it, and is done when it is ready', async (t) => {
    const made = await places(t, 'tagger: { tag: one }')
    const starting = Hypervisord.start(made)
    const [daemon = assert.fail('it was not begun')] = made.daemons
    await daemon.until(async () => daemon.output.includes('need no signature'))
    daemon.child.kill('SIGHUP')
    await starting
    await daemon.until(async () => done.test(daemon.output))
    assert.ok(daemon.output.indexOf('"ready"') < daemon.output.search(done))
    assert.equal((await tags(daemon))['tag'], 'one')
  })

  test('instances that come, change and go are taken up on SIGHUP', async (t) => {
    const daemon = await Hypervisord.start(await places(t, 'tagger: { tag: one }'))
    assert.equal((await tags(daemon))['region'], 'none')
    const east = (region: string) => (yaml: string) =>
      yaml.replace(/providers:\n.*\n/, `providers:\n  east: { type: tagger, region: ${region} }\n`)
    await reload(daemon, east('nyc1'), done)
    assert.equal((await tags(daemon, 'east'))['region'], 'nyc1')
    await reload(daemon, east('nyc3'), done)
    assert.equal((await tags(daemon, 'east'))['region'], 'nyc3')
    await reload(daemon, (yaml) => yaml.replace('east:', 'west:'), done)
    assert.equal((await daemon.get('/api/providers/east/vms')).status, 404)
    assert.equal((await tags(daemon, 'west'))['region'], 'nyc3')
  })

  test('a plugin reads the secrets its settings name and no others, whatever it asks for, and the log tells that it tried', async (t) => {
    const daemon = await Hypervisord.start(await places(t, `tagger: { token: "\${secret:mine}" }`))
    const { secret, stolen } = await tags(daemon)
    assert.deepEqual([secret, stolen], [String('mine-canary'.length), 'SECRET_NOT_GRANTED'])
    await reload(daemon, (yaml) => yaml.replace('secrets: {', 'secrets: { allow: { tagger: [oth*] },'), /secrets was changed/)
    assert.equal((await tags(daemon))['stolen'], 'SECRET_NOT_GRANTED', 'what plugins are allowed counts from the next start')
    const records: readonly { action: string; subject: string; outcome: string; plugin: string }[] = (
      await daemon.get('/api/audit?plugin=acme/tagger&limit=100')
    ).body.records
    const lines = records.map(({ action, subject, outcome }) => `${action} ${subject} ${outcome}`)
    assert.ok(
      lines.includes('secret.read mine ok') && lines.includes('permission.denied secret others refused'),
      lines.join('\n'),
    )
    assert.ok(!`${JSON.stringify(records)}${daemon.output}`.includes('canary'))
  })

  test('a host that lets plugins read no secrets refuses it, also for those their settings name, and writes it down', async (t) => {
    const made = await places(t, `tagger: { steal: "\${secret:mine}" }`)
    await Hypervisord.configure(made, (yaml) => `${yaml}audit: { sensitive_data_access: deny }\n`)
    const daemon = await Hypervisord.start(made)
    assert.equal((await tags(daemon))['stolen'], 'SECRET_READ_DENIED')
    const { records } = (await daemon.get('/api/audit?action=secret.denied')).body
    assert.deepEqual([records[0]?.subject, records[0]?.plugin, records[0]?.outcome], ['mine', 'acme/tagger', 'refused'])
  })
})
