import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

/** Answers what it was opened with, and logs it, as a careless plugin would. */
const telling = `listVms: (filter, call) => {
  call.log.info('opened with ' + JSON.stringify(config))
  const { token = '' } = config.metadata
  return [{ ...machine, metadata: { opened: config, letters: token.length, env: Object.keys(process.env) } }]
},`

test('each instance is opened with its own options alone, secrets filled in and never written anywhere', async (t) => {
  const places = await makePlaces(t)
  const instances = `plugins: { directories: [./plugins] }
secrets: { files: ./secrets }
`
  const east = '  east: { type: slow, region: east, metadata: { token: "${secret:east-token}" } }\n'
  const west = '  west: { type: slow, region: west, password: "${secret:missing}" }\n'
  const north = '  north: { type: slow, password: "${env:NORTH_PASSWORD}", metadata: { api_key: written-out-key } }\n'
  const all = `${east}${west}${north}`.trimEnd()
  await Hypervisord.configure(places, (text) => `${text.replace(/^ {2}slow: .*$/m, all)}${instances}`)
  await mkdir(join(places.root, 'secrets'), { mode: 0o700 })
  await writeFile(join(places.root, 'secrets/east-token'), 'very-secret-token\n', { mode: 0o600 })
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: telling, permissions: [] })
  const daemon = await Hypervisord.start(places, { NORTH_PASSWORD: 'from-the-environment' })

  const [machine] = (await daemon.get('/api/providers/east/vms')).body.vms
  assert.equal(machine.metadata.opened.region, 'east')
  assert.equal(machine.metadata.letters, 'very-secret-token'.length)
  assert.equal(machine.metadata.opened.metadata.token, '[redacted]', 'nor answered')
  assert.doesNotMatch(JSON.stringify(machine.metadata), /west|missing/)
  assert.doesNotMatch(machine.metadata.env.join(' '), /HYPERSDK|HOME/)

  const { opened } = (await daemon.get('/api/providers/north/vms')).body.vms[0].metadata
  assert.deepEqual([opened.password, opened.metadata.api_key], ['[redacted]', '[redacted]'], 'whatever a secret comes from')

  const unresolved = await daemon.get('/api/providers/west/vms')
  assert.deepEqual([unresolved.status, unresolved.body.code], [500, 'CONFIG_HANDLE_UNRESOLVED'])
  assert.match(unresolved.body.detail, /providers\.west\.password/)
  const ambiguous = await daemon.get('/api/providers/slow/vms')
  assert.deepEqual([ambiguous.status, ambiguous.body.code], [409, 'PROVIDER_AMBIGUOUS'])
  assert.match(ambiguous.body.detail, /east, west, north/)

  await daemon.until(async () => daemon.output.includes('opened with'))
  assert.doesNotMatch(daemon.output, /very-secret-token|from-the-environment|written-out-key/)
  assert.match(daemon.output, /\[redacted\]/)
  assert.equal(await daemon.stop(), 0)
})
