import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { serve } from '@backplane/server'
import { requireProgram } from '@backplane/testing'
import { listening } from './fixtures/listening.ts'
import { backplane } from './fixtures/run-backplane.ts'
import { smallHost } from './fixtures/small-host.ts'

const esc = '\u001B]0;owned\u0007\u009B2J\u202E'

test('what a host or a plugin says in errors, answers and JSON does not steer the terminal', async (t) => {
  const problem = { status: 409, code: `X${esc}`, detail: `no\n${esc}`, hint: `try\r\n ${esc}`, retryable: false }
  const failing = await listening(t, (_request, response) => void response.writeHead(409).end(JSON.stringify(problem)))
  const layer = { layer: esc, available: false, mechanism: esc, detail: esc, missing: esc, install: esc }
  const why = { findings: [{ weight: 'new', what: esc, because: esc, evidence: [{ text: esc, seq: 1, at: esc }], hint: esc }] }
  const plugin = { [esc]: esc, id: esc, version: [esc], state: { reason: esc } }
  const answers = {
    system: { layers: [layer] },
    why,
    plugin,
    plugins: { plugins: [plugin] },
    tokens: { tokens: [{ name: esc, plugins: [esc] }] },
    approvals: { approvals: [{ id: esc, state: 'pending', plugin: esc, sentence: esc, by: null, version: esc, input: esc }] },
    search: { packages: [{ name: esc, version: esc, source: esc, description: esc, reference: esc }], problems: [] },
  }
  const answering = await listening(t, (request, response) => {
    const path = String(request.url)
    const which =
      (['system', 'why', 'tokens', 'approvals', 'search'] as const).find((one) => path.includes(one)) ??
      (path.endsWith('/plugins') ? 'plugins' : 'plugin')
    response.end(JSON.stringify(answers[which]))
  })
  const runs = [`plugins --url ${failing}`, `plugins --json --url ${failing}`]
  for (const verb of ['doctor --strict', 'why x', 'plugins', 'plugins show x', 'tokens', 'pin x', 'approvals', 'search x']) {
    runs.push(`${verb} --url ${answering}`, `${verb} --json --url ${answering}`)
  }
  for (const args of runs) {
    const { out, err } = await backplane(args.split(' '))
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/, args)
    assert.ok(out + err !== '' && !err.includes('BACKPLANE_DEFECT'), args + err)
  }
  const told = await backplane(['plugins', '--json', '--url', failing])
  assert.deepEqual(JSON.parse(told.err), problem, 'JSON means the same as before')
})

test('what is asked before a change, and what came of it, does not steer the terminal either', async (t) => {
  const permissions = { asked: [], unapproved: [{ permission: esc, sentence: esc, risk: esc, reason: esc }], dropped: [esc] }
  const verdict = {
    ok: true,
    trust: esc,
    publisher: esc,
    rules: [{ rule: esc, outcome: 'waived', reason: esc, file: esc, fix: esc }],
  }
  const settings = { added: [esc], removed: [esc], changed: [esc], required: [esc] }
  const named = { id: esc, version: esc, from: esc, needed_by: [esc], source: esc, digest: esc, license: { from: null, to: esc } }
  const step = { ...named, kind: 'update', size_bytes: 1, verdict, permissions, settings }
  const removal = { kind: 'remove', id: esc, version: esc, orphan: true }
  const failed = { id: esc, state: 'failed', reason: `it said ${esc}` }
  const moved = { id: esc, state: 'active', update: { failure: { message: esc } } }
  const url = await listening(t, (request, response) => {
    const isPlan = String(request.url).endsWith('/plan')
    const answer = isPlan ? { etag: 'e', pending: true, steps: [step, removal] } : { message: esc, plugins: [failed, moved] }
    response.end(
      JSON.stringify(request.url === '/api/tokens' ? { token: `secret${esc}`, name: esc, scope: esc, plugins: [esc] } : answer),
    )
  })
  for (const args of ['add npm:x', 'update', 'tokens create x']) {
    const { out, err } = await backplane([...args.split(' '), '--url', url], { answers: ['y'] })
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(out + err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/, args)
    assert.ok(!err.includes('BACKPLANE_DEFECT') && err.includes('\uFFFD'), args + err)
    assert.ok(args.startsWith('tokens') || /would be allowed to/.test(err), err)
    assert.ok(args.startsWith('tokens') || /does not run as it should/.test(err), err)
  }
})

test('a host does not choose which file a profile is written over, and Ctrl-C leaves nothing of it', async (t) => {
  const host = await smallHost(t)
  const before = process.cwd()
  process.chdir(host.directory)
  t.after(() => process.chdir(before))
  await writeFile('package.json', 'mine')
  await writeFile('.cpuprofile', 'mine')
  for (const name of ['package.json', '.cpuprofile', '..']) {
    const url = await listening(
      t,
      (_request, response) => void response.writeHead(200, { 'content-disposition': `attachment; filename="${name}"` }).end('{}'),
    )
    assert.equal((await backplane(['profile', 'x', '--url', url])).out, 'plugin.cpuprofile (2 B)\n', name)
  }
  assert.deepEqual([await readFile('package.json', 'utf8'), await readFile('.cpuprofile', 'utf8')], ['mine', 'mine'])
  const begun = Promise.withResolvers<void>()
  const endless = await listening(t, (_request, response) => void response.writeHead(200).write('{', () => begun.resolve()))
  const files = await readdir('.')
  const broken = await backplane(['profile', 'x', '-o', 'heap', '--heap', '--url', endless], { breakWhen: begun.promise })
  assert.deepEqual([broken.code, broken.out, await readdir('.')], [130, '', files])
})

test('an older host that tells less is shown as far as it tells', async (t) => {
  const row = { id: 'demo/one', version: '1.0.0', state: 'active' }
  const url = await listening(t, (_request, response) => void response.end(JSON.stringify({ over_ms: 1, plugins: [row] })))
  const { code, out } = await backplane(['top', '--url', url])
  assert.deepEqual([code, /\ndemo\/one +1\.0\.0 +active +- /.test(out), /NaN|undefined/.test(out)], [0, true, false], out)
})

test('a certificate that nothing here trusts is told from a connection that is lost', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const host = await smallHost(t)
  const [certificate, key] = [join(host.directory, 'cert.pem'), join(host.directory, 'key.pem')]
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', [...made, '-subj', '/CN=localhost', '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  await using served = await serve(() => new Response('never seen'), { tcp: { port: 0, tls: { certificate, key } } })
  const ran = await backplane(['plugins', '--url', String(served.tcp?.url), '--token-file', host.tokenFile])
  assert.equal(ran.code, 77)
  assert.match(ran.err, /^CLIENT_CERTIFICATE_REFUSED: .*DEPTH_ZERO_SELF_SIGNED_CERT.*\n.*NODE_EXTRA_CA_CERTS/)
})
