import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import type { TrustPolicy } from '@backplane/trust'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const permissions = ['fs:read ${instances.*.metadata.directory}', 'fs:write ${instances.*.metadata.directory}']

/** A daemon's places whose policy takes what nobody signed, with all of it approved. */
async function stage(t: TestContext, more = ''): Promise<Places> {
  const places = await makePlaces(t, `plugins: { directories: [./plugins], trust_policy: ./trust.json${more} }\n`)
  await mkdir(join(places.root, 'data'), { recursive: true, mode: 0o700 })
  const grants = { grantsVersion: 1, plugins: { 'acme/slow': { permissions, by: 'ops', at: '2026-11-01T12:00:00Z' } } }
  await writeFile(join(places.root, 'data/grants.json'), JSON.stringify(grants))
  await trust(places, {})
  return places
}

async function trust({ root }: Places, more: TrustPolicy): Promise<void> {
  await writeFile(join(root, 'trust.json'), JSON.stringify({ allowUnsigned: true, ...more }))
}

/** Puts a provider into the folder that leaves a mark as soon as a line of it runs. */
async function drop(
  places: Places,
  version: string,
  code: string,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const mark = join(places.control, `ran-${version}`)
  const marking = `import { writeFileSync as mark } from 'node:fs'\nmark(${JSON.stringify(mark)}, '')\n`
  const folder = join(places.root, 'made/slow')
  await writeSlowProvider(folder, { version, code: marking + code, permissions })
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text, 'latin1')
  }
  await rm(join(places.plugins, 'slow'), { recursive: true, force: true })
  await cp(folder, join(places.plugins, 'slow'), { recursive: true })
  return mark
}

const hostile: readonly {
  readonly rule: string
  readonly code: string
  readonly files?: Readonly<Record<string, string>>
  readonly at: RegExp
}[] = [
  {
    rule: 'static/child-process',
    code: "import { exec } from 'node:child_process'\nexport const go = () => exec('id')\n",
    at: /index\.js:3/,
  },
  { rule: 'static/eval', code: "export const go = () => eval('1')\n", at: /index\.js:3/ },
  { rule: 'static/native-code', code: '', files: { 'addon.node': '\x7fELF\x02\x01\x01' }, at: /addon\.node/ },
  { rule: 'static/hidden-unicode', code: 'export const hidden = "\u202e"\n', at: /index\.js:3/ },
  { rule: 'static/not-parsed', code: '', files: { 'more.js': 'this is no code' }, at: /more\.js/ },
]

test('a folder whose code the policy does not accept runs no line, and the answer names rule, file and fix', async (t) => {
  const places = await stage(t)
  await drop(places, '0.9.0', '')
  const daemon = await Hypervisord.start(places, {}, [], [])
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
  for (const [at, { rule, code, files, at: where }] of hostile.entries()) {
    const version = `1.${at}.0`
    const mark = await drop(places, version, code, files)
    await daemon.until(async () => (await daemon.plugin('slow')).held?.against?.version === version)
    const { update, version: serving } = await daemon.plugin('slow')
    assert.equal(serving, '0.9.0', 'what was looked through before goes on')
    const text = JSON.stringify(update)
    assert.match(text, /TRUST_REFUSED/, rule)
    assert.ok(text.includes(rule), `${rule}: ${text}`)
    assert.match(text, where, rule)
    assert.ok(!existsSync(mark), rule)
    const { rules } = (await daemon.get('/api/plugins/slow/verdict')).body.verdict
    const finding = rules.find((one: { rule: string }) => one.rule === 'findings')
    assert.match(finding.fix, /acceptedFindings: \{"acme\/slow"/, rule)
  }
})

test('what the policy accepts by name, or warns of alone, runs and says so', async (t) => {
  const places = await stage(t)
  const starts = "import { exec } from 'node:child_process'\nexport const go = () => exec('id')\n"
  await drop(places, '1.0.0', starts)
  const daemon = await Hypervisord.start(places, {}, [], [])
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 503)
  await trust(places, { acceptedFindings: { 'acme/slow': { 'static/child-process': 'it tells who it is' } } })
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => {
    await daemon.post('/api/plugins/slow/reload')
    return (await daemon.get('/api/providers/slow/vms')).status === 200
  })
  assert.match((await daemon.plugin('slow')).trust.waived.join('; '), /static\/child-process \(it tells who it is\)/)
  await trust(places, { refuseFindings: 'never' })
  daemon.child.kill('SIGHUP')
  await daemon.until(async () => /refuseFindings: never/.test((await daemon.plugin('slow')).trust?.waived.join() ?? ''))
})

test('a module that a package brings along and an advisory is about keeps it from running', async (t) => {
  const places = await stage(t)
  const [module, versions] = ['left-pad', '<1.3.0']
  const advisory = { id: 'GHSA-1', module, versions, summary: 'pads with what it likes', action: 'disable' } as const
  await trust(places, { moduleAdvisories: [advisory] })
  const own = { 'package.json': '{"type":"module"}' }
  const bundle = (version: string): Promise<string> =>
    drop(places, version, '', { ...own, 'node_modules/left-pad/package.json': `{"name":"left-pad","version":"${version}"}` })
  await bundle('1.2.0')
  const daemon = await Hypervisord.start(places, {}, [], [])
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 503)
  const why = (await daemon.get('/api/plugins/acme/slow/why')).text
  assert.match(why, /GHSA-1: pads with what it likes .*node_modules\/left-pad\/package\.json/)
  assert.ok(!existsSync(join(places.control, 'ran-1.2.0')))
  await bundle('1.3.0')
  await daemon.until(async () => (await daemon.get('/api/providers/slow/vms')).status === 200)
})

test('a command of the operator’s looks through it as well, and what it says is in the verdict', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const script = `grep -l TROJAN $(cat) | sed 's/.*/{"rule":"trojan","file":"&","line":1,"message":"holds a trojan","fix":"Throw it away."}/'; grep -q TROJAN -r . && exit 1; exit 0`
  const places = await stage(t, ', scanners: { virus: { argv: [/bin/sh, /usr/local/nowhere] } }')
  const argv = JSON.stringify(['/bin/sh', '-c', script])
  await Hypervisord.configure(places, (text) => text.replace('[/bin/sh, /usr/local/nowhere]', argv))
  await drop(places, '1.0.0', '// TROJAN\n')
  const daemon = await Hypervisord.start(places, {}, [], [])
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 503)
  const { rules } = (await daemon.get('/api/plugins/slow/verdict')).body.verdict
  const finding = rules.find((one: { rule: string }) => one.rule === 'findings')
  assert.match(finding.reason, /^virus\/trojan: holds a trojan \(index\.js:1\)/)
  assert.match(finding.fix, /^Throw it away; if it is meant, write acceptedFindings/)
  await drop(places, '1.0.1', '// clean\n')
  await daemon.until(async () => (await daemon.get('/api/providers/slow/vms')).status === 200)
  assert.equal(await daemon.stop(), 0)

  await Hypervisord.configure(places, (text) => text.replace(argv, '[/nowhere/scanner]'))
  await drop(places, '1.0.2', '// clean too\n')
  const without = await Hypervisord.start(places, {}, [], [])
  await without.get('/api/providers/slow/vms')
  const why = (await without.get('/api/plugins/acme/slow/why')).text
  assert.match(why, /virus\/not-run|the scanner virus/, 'one that cannot look refuses')
  assert.ok(!existsSync(join(places.control, 'ran-1.0.2')))
})
