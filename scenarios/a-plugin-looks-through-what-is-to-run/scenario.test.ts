import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { generateKey, type KeyPair } from '@backplane/trust'
import { Hypervisord, makePlaces, type Answer, type Places } from '../support/hypervisord.ts'
import { packFolder, signFolder } from '../support/signed-package.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const example = fileURLToPath(new URL('../../examples/6-scanner/private-keys', import.meta.url))
const key = '-----BEGIN OPENSSH PRIVATE KEY-----\n'

/** A daemon's places, whose policy takes what nobody signed, as long as it is no scanner. */
async function stage(t: TestContext, scanners: string): Promise<{ readonly places: Places; readonly release: KeyPair }> {
  const sources = 'trust_policy: ./trust.json, sources: { directories: [./offered] }'
  const places = await makePlaces(t, `plugins: { directories: [./plugins], ${sources}, scanners: { ${scanners} } }\n`)
  const release = generateKey()
  const policy = {
    keys: { release: { publicKey: release.publicKey } },
    publishers: [{ name: 'Tools', ids: 'tools/*', signers: [{ key: 'release' }] }],
    allowUnsigned: true,
  }
  await writeFile(join(places.root, 'trust.json'), JSON.stringify(policy))
  return { places, release }
}

/** Writes a provider into a folder that may be installed from. */
async function offer(places: Places, id: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = join(places.root, 'offered', id)
  await writeSlowProvider(folder, { id, name: id.replace('/', '-'), version: '1.0.0', permissions: [] })
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

const plan = (daemon: Hypervisord, reference: string): Promise<Answer> =>
  daemon.post('/api/plugins/plan', { changes: [{ kind: 'add', reference }] })

/** Puts a scanner into the watched folder. */
async function dropScanner(
  places: Places,
  manifest: object,
  code: string,
  sign?: (folder: string) => Promise<void>,
): Promise<void> {
  const aside = join(places.root, 'made/scanner')
  await mkdir(aside, { recursive: true })
  const whole = { schemaVersion: 1, version: '1.0.0', requires: { api: '^1.0.0' }, ...manifest }
  await writeFile(join(aside, 'plugin.json'), JSON.stringify(whole))
  await writeFile(join(aside, 'package.json'), '{"type":"module"}')
  await writeFile(join(aside, 'index.js'), code)
  await sign?.(aside)
  await cp(aside, join(places.plugins, 'scanner'), { recursive: true })
  await rm(aside, { recursive: true })
}

test('what a plugin of the operator’s finds refuses by every way in, and where it is not there nothing gets in', async (t) => {
  const { places } = await stage(t, 'private-keys: { plugin: acme/private-keys }')
  const [good, bad] = [await offer(places, 'acme/good'), await offer(places, 'acme/bad', { 'deploy/id.pem': `#\n${key}` })]
  const daemon = await Hypervisord.start(places, {}, [], [])

  const missing = await plan(daemon, good)
  assert.equal(missing.body.code, 'INSTALL_REFUSED', missing.text)
  assert.match(missing.body.detail, /private-keys\/not-run: acme\/private-keys could not look: .*the plugin is not here/)
  assert.match(missing.body.hint, /^Install acme\/private-keys, or take private-keys out of plugins\.scanners/)

  await cp(example, join(places.plugins, 'private-keys'), { recursive: true })
  await daemon.until(async () => (await daemon.plugin('acme/private-keys')) !== undefined)
  assert.match((await plan(daemon, good)).body.detail, /1\.0\.0 is refused: it is the scanner private-keys/)
  const why = (await daemon.get('/api/plugins/acme/private-keys/why')).text
  const [, digest = ''] = /plugins\.scanners\.private-keys\.digest: (sha256:[0-9a-f]{64})/.exec(why) ?? []
  assert.notEqual(digest, '', why)
  assert.equal(await daemon.stop(), 0)

  // approved by its digest, it looks through what waits in the folder at the start
  await Hypervisord.configure(places, (text) => text.replace('plugin: acme/private-keys', `$&, digest: "${digest}"`))
  await cp(good, join(places.plugins, 'good'), { recursive: true })
  const manifest = join(places.plugins, 'good/plugin.json')
  await writeFile(manifest, JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), activation: 'eager' }))
  await cp(bad, join(places.plugins, 'bad'), { recursive: true })
  const next = await Hypervisord.start(places, {}, [], [])
  const { state } = await next.plugin('acme/good')
  assert.equal(state, 'active', 'one that starts with the daemon waits for its scanner, and the daemon for nobody')
  assert.equal((await next.get('/api/providers/acme-good/vms')).status, 200)
  const { tier, trust } = await next.plugin('acme/private-keys')
  assert.deepEqual([tier, trust.level], ['confined', 'unsigned'])

  const refusal = /private-keys\/found: holds a private key \(deploy\/id\.pem:2\)/
  assert.equal((await next.get('/api/providers/acme-bad/vms')).status, 503)
  assert.match((await next.get('/api/plugins/acme/bad/why')).text, refusal)
  for (const change of [bad, packFolder(bad, join(places.root, 'offered/bad.tgz'))]) {
    const { body, text } = await plan(next, change)
    assert.equal(body.code, 'INSTALL_REFUSED', text)
    assert.match(body.detail, refusal)
    assert.match(body.hint, /^Take it out, and make a new one; if it is meant, write acceptedFindings/)
  }
  const installed = await next.post('/api/plugins/install', { path: bad })
  assert.equal(installed.body.code ?? installed.body.error?.code, 'INSTALL_REFUSED', installed.text)
  assert.equal((await plan(next, await offer(places, 'acme/other'))).status, 200)

  const { records } = (await next.get('/api/audit?action=package.scan&outcome=ok')).body
  const told = records.find((one: { subject: string }) => one.subject === 'acme/bad 1.0.0')
  assert.equal(told.actor.name, 'acme/private-keys')
  assert.match(told.reason, /^1 findings: private-keys\/found$/)
  assert.deepEqual([told.details.scanner, told.details.by], ['private-keys', 'acme/private-keys 1.0.0'])
})

/** It behaves by the package that it is to look at. */
const hostile = `import { definePlugin, scanner } from '@backplane/sdk'
const finding = { rule: 'x', severity: 'info', file: 'index.js', message: 'x' }
const behaviours = {
  'acme/crash': () => process.exit(0),
  'acme/throw': () => { throw new Error('no wish to look') },
  'acme/hang': () => new Promise(() => {}),
  'acme/garbage': () => 'nothing found, trust me',
  'acme/flood': () => Array.from({ length: 1001 }, () => finding),
  'acme/severity': () => [{ ...finding, severity: 'none' }],
  'acme/huge': () => [{ ...finding, message: 'x'.repeat(32 * 1024 * 1024) }],
  'acme/spin': () => { for (;;); },
}
export default definePlugin((scope) => {
  scope.provide(scanner, 'tool', { open: ({ id }) => ({ file: () => undefined, findings: () => (behaviours[id] ?? (() => []))() }) })
})
`

test('a scanner that crashes, hangs or answers garbage refuses what it was to look at, and holds up nothing else', async (t) => {
  const { places, release } = await stage(t, 'tool: { plugin: tools/tool, timeout: 1500ms }')
  const contributes = { 'backplane.scanner': { tool: {} } }
  await dropScanner(places, { id: 'tools/tool', contributes, activation: 'eager' }, hostile, (folder) =>
    signFolder(folder, { id: 'tools/tool', version: '1.0.0' }, release),
  )
  // says that it is the scanner, and nobody named it
  const mark = join(places.control, 'ran')
  await cp(await offer(places, 'acme/claimer'), join(places.plugins, 'claimer'), { recursive: true })
  const claim = {
    schemaVersion: 1,
    id: 'acme/claimer',
    version: '1.0.0',
    requires: { api: '^1.0.0' },
    contributes,
    activation: 'eager',
  }
  await writeFile(join(places.plugins, 'claimer/plugin.json'), JSON.stringify(claim))
  await writeFile(
    join(places.plugins, 'claimer/index.js'),
    `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(mark)}, '')\n`,
  )
  const daemon = await Hypervisord.start(places, {}, [], [])
  const clean = await offer(places, 'acme/clean')
  await daemon.until(async () => (await plan(daemon, clean)).status === 200)
  const claimer = await daemon.plugin('acme/claimer')
  assert.match(
    claimer.reason,
    /plugins\.scanners names tools\/tool so; if this plugin is meant, write plugins\.scanners\.tool\.plugin: acme\/claimer/,
  )
  assert.equal(existsSync(mark), false)

  const answers: readonly (readonly [string, RegExp])[] = [
    ['throw', /no wish to look/],
    ['garbage', /must be a list of findings/],
    ['flood', /must be at most 1000/],
    ['severity', /severity must be one of/],
    ['hang', /it took longer than 1500 ms/],
    ['huge', /could not look/],
    ['crash', /could not look/],
    ['spin', /could not look/],
  ]
  for (const [name, reason] of answers) {
    const { body, text } = await plan(daemon, await offer(places, `acme/${name}`))
    assert.equal(body.code, 'INSTALL_REFUSED', text)
    assert.match(body.detail, /tool\/not-run: tools\/tool could not look/, name)
    assert.match(body.detail, reason)
    assert.ok(body.hint.length > 0)
  }
  // what it found before goes on counting, and everything else is answered while it does not
  assert.equal((await plan(daemon, clean)).status, 200)
  const { records } = (await daemon.get('/api/audit?action=package.scan&outcome=failed')).body
  assert.deepEqual(
    records.map(({ subject }: { subject: string }) => subject).toSorted(),
    answers.map(([name]) => `acme/${name} 1.0.0`).toSorted(),
  )
})
