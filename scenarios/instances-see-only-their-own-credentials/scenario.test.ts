import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
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

/** Tells what it knows in every way a plugin has. */
const leaky = `listVms: (filter, call) => {
  call.log.debug('debug ' + everything(config), { deep: { list: [everything(config)] } })
  call.log.info(new URLSearchParams({ all: everything(config) }).toString())
  console.error(everything(config))
  return [{ ...machine, name: everything(config), tags: { all: everything(config) }, metadata: { config } }]
},
getVm: (request, call) => {
  if (request.id === 'vm/1') return machine
  throw Object.assign(new Error(everything(config)), { code: 'LEAK', details: { all: everything(config) } })
},
searchVms: () => { console.error(everything(config)); process.exit(3) },
exportVm: async function* (request, call) {
  call.progress(1, 2, everything(config))
  yield { kind: 'disk', disk: 'disk0', format: 'raw', size_bytes: 2, label: everything(config) }
  yield { kind: 'warning', stage: 'x', message: everything(config) }
  throw new Error(everything(config))
},`

const leakyCode = `let settings = {}
const everything = (config) => [settings, config].map((value) => Object.values({ ...value, ...value.metadata }).join(' ')).join(' ')
`

test('a canary put in every place a secret comes from shows up in no answer, event, log line or file', async (t) => {
  const places = await makePlaces(t)
  const canaries = {
    settingFromEnvironment: 'canary-1-"quoted"-é',
    settingFromSecret: 'canary-2-bbbbbbbb',
    settingWrittenOut: 'canary-3-cccccccc',
    metadataFromEnvironment: 'canary-4-dddddddd',
    metadataFromSecret: 'canary-5-eeeeeeee',
    passwordWrittenOut: 'canary-6-ffffffff',
  }
  const extra = `log_level: debug
secrets: { files: ./secrets }
plugins:
  directories: [./plugins]
  config:
    acme/slow: { greeting: "Hello \${env:SETTING}", secret: "\${secret:setting}", api_key: ${canaries.settingWrittenOut} }
    acme/broken: { greeting: "\${env:SETTING}" }
`
  const metadata = 'metadata: { greeting: "${env:METADATA}", other: "${secret:metadata}" }'
  const instance = `  slow: { password: ${canaries.passwordWrittenOut}, ${metadata} }`
  await Hypervisord.configure(places, (text) => `${text.replace(/^ {2}slow: .*$/m, instance)}${extra}`)
  await mkdir(join(places.root, 'secrets'), { mode: 0o700 })
  await writeFile(join(places.root, 'secrets/setting'), canaries.settingFromSecret, { mode: 0o600 })
  await writeFile(join(places.root, 'secrets/metadata'), canaries.metadataFromSecret, { mode: 0o600 })
  const knows = (name: string, code: string): Promise<void> =>
    writeSlowProvider(join(places.plugins, name), {
      version: '1.0.0',
      id: `acme/${name}`,
      name,
      code,
      methods: leaky,
      permissions: [],
    })
  await knows('slow', leakyCode)
  const main = join(places.plugins, 'slow/index.js')
  const opening = `definePlugin(async (scope) => {
  const { secret, ...config } = scope.config
  settings = { ...config, secret: await scope.secrets.get(secret) }
  scope.log.info('starts with ' + JSON.stringify(settings), settings)`
  await writeFile(main, (await readFile(main, 'utf8')).replace('definePlugin((scope) => {', opening))
  await knows('broken', '')
  const broken = join(places.plugins, 'broken/index.js')
  const failing = 'definePlugin((scope) => { throw new Error(scope.config.greeting)'
  await writeFile(broken, (await readFile(broken, 'utf8')).replace('definePlugin((scope) => {', failing))

  const daemon = await Hypervisord.start(places, {
    SETTING: canaries.settingFromEnvironment,
    METADATA: canaries.metadataFromEnvironment,
  })
  const seen: string[] = []
  const ask = async (path: string): Promise<number> => {
    const { text, status, headers } = await daemon.get(path)
    seen.push(`${path} ${JSON.stringify(headers)} ${text}`)
    return status
  }
  const inputs = ['slow/vms', 'slow/vms/other', 'slow/vms/search?q=x', 'broken/vms']
  const statuses: number[] = []
  for (const path of inputs) statuses.push(await ask(`/api/providers/${path}`))
  assert.equal(statuses[0], 200, seen.join('\n'))
  assert.ok(
    statuses.slice(1).every((status) => status >= 500),
    statuses.join(' '),
  )
  const id = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  assert.equal((await daemon.ended(id)).status, 'failed')
  const jobPaths = ['', '/events'].map((end) => `/jobs/${id}${end}`)
  const ofJob = [...jobPaths, `/jobs/logs/${id}`, `/jobs/progress/${id}`, '/jobs/query?all=true']
  const ofPlugins = [
    '/api/plugins',
    '/api/plugins/slow',
    '/api/plugins/broken',
    '/api/plugins/search?q=acme',
    '/api/plugins/stats',
    ...['why', 'history', 'usage'].map((what) => `/api/plugins/acme%2Fslow/${what}`),
    '/api/plugins/acme%2Fbroken/why',
  ]
  // It died in the search, after it had told everything: that is its last lines now.
  const crashed = await daemon.get('/api/plugins/acme%2Fslow')
  seen.push(`crashed ${crashed.text}`)
  assert.match(crashed.text, /last_?lines":\[[^\]]*\[redacted\]/i)
  const ofHost = ['/api/system', '/api/top', '/api/providers', '/capabilities', '/status', '/metrics', '/openapi.json']
  for (const path of [...ofJob, ...ofPlugins, ...ofHost, '/api/audit']) assert.ok((await ask(path)) < 500, path)
  await ask('/api/providers/slow/vms')
  const profiled = await daemon.send('POST', '/api/plugins/acme%2Fslow/profile?seconds=0.1')
  assert.match(String(profiled.headers['content-disposition']), /acme-slow-\d+\.cpuprofile/, profiled.text.slice(0, 300))
  seen.push(`profile ${JSON.stringify(profiled.headers)} ${profiled.text}`)
  for await (const { event, data } of daemon.events('/api/events', 0)) {
    seen.push(`event ${event} ${JSON.stringify(data)}`)
    if (event === 'call.refused' || seen.length > 200) break
    if (JSON.stringify(data).includes('acme/broken') && JSON.stringify(data).includes('failed')) break
  }
  assert.equal(await daemon.stop(), 0)
  const kept = await readdir(join(places.root, 'data'), { recursive: true, withFileTypes: true })
  for (const file of kept.filter((one) => one.isFile())) {
    seen.push(`${file.name} ${await readFile(join(file.parentPath, file.name), 'latin1')}`)
  }
  seen.push(`log ${daemon.output}`)
  assert.match(daemon.output, /debug \S*.*\[redacted\]/, 'the plugin really told')
  for (const [place, canary] of Object.entries(canaries)) {
    const forms = [
      canary,
      encodeURIComponent(canary),
      Buffer.from(canary).toString('base64'),
      JSON.stringify(canary).slice(1, -1),
    ]
    const leaks = seen.filter((text) => forms.some((form) => text.includes(form)))
    assert.deepEqual(
      leaks.map((text) => text.slice(0, 300)),
      [],
      place,
    )
  }
})
