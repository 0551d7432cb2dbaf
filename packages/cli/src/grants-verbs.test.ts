import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '@backplane/testing'
import { listening } from './fixtures/listening.ts'
import { backplane, type Ran } from './fixtures/run-backplane.ts'

const esc = '\u001b[2K'
const read = 'fs:read /srv/images'
const sentence = { permission: read, sentence: 'read files in /srv/images', risk: 'low', reason: 'it changes nothing' }
const about = { first: '2026-11-01T00:00:00.000Z', last: '2026-11-20T00:00:00.000Z', complete: true }
const plain = { watched_since: '2026-11-01T00:00:00.000Z', unknown: null, withheld: false, needed_for: null }
const permissions = {
  id: 'acme/s3',
  version: '1.0.0',
  asked: [sentence],
  approved: [read],
  unapproved: [],
  waiting: null,
  withheld: [],
  audit: { on: true, reason: null },
  used: [
    { ...plain, permission: read, used: { ...about, count: 3, by: 'plugin', seen: [`/srv/images/${esc}1.raw`] } },
    { ...plain, permission: 'exec rclone', used: null, watched_since: null, unknown: `nobody sees ${esc}that` },
    { ...plain, permission: 'vm:edit', used: { ...about, count: 0, by: null, seen: [] }, needed_for: 'demo.before-start' },
    { ...plain, permission: 'vm:read', used: { ...about, count: 0, by: null, seen: [] }, withheld: true },
  ],
  proposal: {
    since: null,
    used: [read, 'vm:edit'],
    unknown: ['exec rclone'],
    unused: ['vm:read', 'net:connect a.example:443'],
    narrower: { [read]: [`fs:read /srv/${esc}images/a`] },
  },
}

interface Host {
  readonly asked: string[]
  readonly run: (...args: readonly string[]) => Promise<Ran>
}

/** A host that answers this about `acme/s3`, and that there is nothing else. */
async function hostOf(t: TestContext, answer: object): Promise<Host> {
  const asked: string[] = []
  const url = await listening(t, (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json')
    const isList = request.url === '/api/plugins'
    response.end(JSON.stringify(isList ? { plugins: [{ id: 'acme/s3' }, { id: 'acme/none' }] } : answer))
  })
  return { asked, run: (...args) => backplane([...args, '--url', url]) }
}

test('permissions --used tells of each how often and by whose word, what nobody can say, and what is withheld', async (t) => {
  const { run, asked } = await hostOf(t, permissions)
  const { code, out } = await run('permissions', 'acme/s3', '--used', '--since', '2026-11-10T00:00:00Z')
  assert.equal(code, 0)
  assert.deepEqual(asked, ['GET /api/plugins/acme%2Fs3/permissions?since=2026-11-10T00%3A00%3A00.000Z'])
  assert.ok(!out.includes('\u001b'), 'nothing steers the terminal')
  assert.match(
    out,
    /^acme\/s3 1\.0\.0, in audit mode\n✓ fs:read \/srv\/images\n {4}used 3 times, by its own word, last at 2026-11-20/,
  )
  assert.match(out, /\? exec rclone\n {4}nobody can say: nobody sees /)
  assert.match(out, /✗ vm:edit\n {4}never used\n {4}needed for demo\.before-start, which it fills\n/)
  assert.match(out, /- vm:read\n {4}withheld\n/)
  assert.match(out, /not needed so far: backplane grants propose acme\/s3\n$/)
  const wrong = await run('permissions', 'acme/s3', '--used', '--since', 'yesterday')
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /yesterday is neither so long ago/)
})

test('grants propose prints a file for --grant-file and tells its doubts beside it', async (t) => {
  const { run, asked } = await hostOf(t, permissions)
  const { out, err } = await run('grants', 'propose')
  const plugins = {
    'acme/s3': { permissions: ['exec rclone', read, 'vm:edit'], withheld: ['net:connect a.example:443', 'vm:read'] },
  }
  assert.deepEqual(JSON.parse(out), { grantsVersion: 1, plugins })
  assert.deepEqual(asked.length, 3, 'all plugins were asked about')
  assert.ok(!err.includes('\u001b'))
  assert.match(err, /acme\/s3: exec rclone is kept, because nobody can say whether it was used: nobody sees/)
  assert.match(err, /acme\/s3: its manifest could ask for fs:read \/srv\/.*images\/a instead of fs:read \/srv\/images\n/)
})

test('a host that is older tells nothing of use, and proposes nothing', async (t) => {
  const { audit: _audit, used: _used, proposal: _proposal, withheld: _withheld, ...older } = permissions
  const { run } = await hostOf(t, older)
  assert.equal((await run('permissions', 'acme/s3', '--used')).out, 'this host does not tell what plugins use\n')
  assert.deepEqual(JSON.parse((await run('grants', 'propose', 'acme/s3')).out), { grantsVersion: 1, plugins: {} })
  assert.match((await run('permissions', 'acme/s3')).out, /^acme\/s3 1\.0\.0: may\n/)
})

test('withholding names what and from whom, and nothing is withheld without a name', async (t) => {
  const kept = { ...permissions, approved: [], withheld: [sentence] }
  const { run, asked } = await hostOf(t, kept)
  const { code, out } = await run('grants', 'withhold', 'acme/s3', read)
  assert.deepEqual([code, asked], [0, ['POST /api/plugins/acme%2Fs3/withhold']])
  assert.match(out, /withheld, so it runs without:\n {2}low risk\n {4}- read files in \/srv\/images/)
  assert.equal((await run('grants', 'withhold', 'acme/s3')).code, 2)
})

test('a file withholds what it says from each plugin in it, and names none beside', async (t) => {
  const { run, asked } = await hostOf(t, { ...permissions, withheld: [sentence] })
  const file = join(await temporaryDirectory(t), 'grants.json')
  const of = (withheld: readonly string[]): object => ({ permissions: ['vm:edit'], withheld })
  await writeFile(
    file,
    JSON.stringify({ grantsVersion: 1, plugins: { 'acme/s3': of([read]), 'acme/b': of([]), 'acme/c': of(['exec x']) } }),
  )
  assert.equal((await run('grants', 'withhold', '--grant-file', file)).code, 0)
  assert.deepEqual(asked, ['POST /api/plugins/acme%2Fs3/withhold', 'POST /api/plugins/acme%2Fc/withhold'])
  for (const args of [[], ['acme/s3'], ['acme/s3', read, '--grant-file', file]]) {
    assert.equal((await run('grants', 'withhold', ...args)).code, 2, args.join(' '))
  }
})

test('a plugin of a file that is not there keeps nothing from being withheld from the others, and is told', async (t) => {
  const problem = { status: 404, code: 'SERVER_PLUGIN_UNKNOWN', detail: `no ${esc}gone`, hint: 'List them.', retryable: false }
  const url = await listening(t, (request, response) => {
    response.setHeader('content-type', 'application/json')
    const isGone = request.url?.includes('gone') === true
    response.writeHead(isGone ? 404 : 200).end(JSON.stringify(isGone ? problem : { ...permissions, withheld: [sentence] }))
  })
  const file = join(await temporaryDirectory(t), 'grants.json')
  const one = { permissions: [], withheld: [read] }
  await writeFile(file, JSON.stringify({ grantsVersion: 1, plugins: { 'acme/gone': one, 'acme/s3': one } }))
  const args = ['grants', 'withhold', '--grant-file', file, '--url', url]
  const told = await backplane(args)
  assert.deepEqual([told.code, told.out.startsWith('acme/s3 1.0.0: '), told.err.includes(esc)], [1, true, false], told.err)
  assert.match(told.err, /^acme\/gone is as it was: no .*gone\. \(SERVER_PLUGIN_UNKNOWN\)\n {4}→ List them\.\n$/)
  const { plugins, failed } = JSON.parse((await backplane([...args, '--json'])).out)
  assert.deepEqual([plugins.length, failed[0].id, failed[0].code], [1, 'acme/gone', 'SERVER_PLUGIN_UNKNOWN'])
})

test('a file that withholds from what is there already says that it did not, and how to', async (t) => {
  const grants = [{ id: 'acme/s3', permissions: [], withheld: ['vm:edit'], kept_in: 'lock', by: null, at: null }]
  const { run } = await hostOf(t, { etag: 'e', pending: false, steps: [], message: 'nothing to do', plugins: [], grants })
  const file = join(await temporaryDirectory(t), 'grants.json')
  const withhold = async (withheld: readonly string[]): Promise<Ran> => {
    const plugins = { 'acme/s3': { permissions: [], withheld }, 'acme/elsewhere': { permissions: [], withheld: [read] } }
    await writeFile(file, JSON.stringify({ grantsVersion: 1, plugins }))
    return run('add', 'npm:@acme/s3', '--grant-file', file)
  }
  const told = await withhold(['vm:edit', read])
  assert.equal(told.code, 1)
  assert.match(
    told.err,
    /^acme\/s3 is there already, and nothing more is withheld from it: backplane grants withhold --grant-file/,
  )
  const done = await withhold(['vm:edit'])
  assert.deepEqual([done.code, done.err], [0, ''])
})

test('a plan says in words what nobody approved', async (t) => {
  const change = { unapproved: [sentence], dropped: [] }
  const step = {
    kind: 'install',
    id: 'acme/s3',
    version: '1.0.0',
    from: null,
    source: 'npm:@acme/s3',
    size_bytes: 1,
    needed_by: [],
    verdict: { trust: 'signed', publisher: 'Acme', rules: [] },
    permissions: change,
    license: { from: null, to: null },
    settings: { added: [], removed: [], changed: [], required: [] },
  }
  const { run } = await hostOf(t, { etag: 'e', pending: true, steps: [step] })
  const { code, out } = await run('plan', '--add', 'npm:@acme/s3')
  assert.equal(code, 3)
  assert.match(out, /that nobody approved\nacme\/s3 would be allowed to\n {2}low risk\n {4}- read files in \/srv\/images/)
})

test('what could not be fetched again is told with what to do, beside what was', async (t) => {
  const failed = [{ id: 'acme/b', code: 'FETCH_CHANGED', message: `it ${esc}moved`, hint: 'Ask why.' }]
  const { run } = await hostOf(t, { restored: ['acme/a'], failed })
  const { code, out, err } = await run('install')
  assert.deepEqual([code, out], [1, 'acme/a fetched\n'])
  assert.match(err, /^acme\/b could not be fetched: it .*moved\. \(FETCH_CHANGED\)\n {4}→ Ask why\.\n$/)
  assert.ok(!err.includes('\u001b'))
})

test('with --json what is not approved is told as one JSON, and without it in words before that', async (t) => {
  const step = { kind: 'install', id: 'acme/s3', version: '1.0.0', permissions: { unapproved: [sentence] } }
  const { run } = await hostOf(t, { ...permissions, unapproved: [sentence], etag: 'e', pending: true, steps: [step] })
  for (const verb of [
    ['approve', 'acme/s3'],
    ['add', 'npm:@acme/s3', '--yes'],
  ]) {
    const { code, out, err } = await run(...verb, '--json')
    assert.deepEqual([code, out], [77, ''])
    assert.equal((JSON.parse(err) as { code: string }).code, 'BACKPLANE_UNAPPROVED', verb.join(' '))
  }
  const told = await run('approve', 'acme/s3')
  assert.match(told.err, /^acme\/s3 would be allowed to\n.*\n.*read files in \/srv\/images.*\n(?:.*\n)*BACKPLANE_UNAPPROVED/)
})
