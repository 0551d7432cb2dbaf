import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { ApiClient } from '../client/index.ts'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { fakeInstalls, type FakeInstalls } from '../fixtures/fake-installs.ts'
import { startServer, type StartedServer } from '../fixtures/start-server.ts'
import type { InstallPut, PluginInstalls } from './plugin-installs.ts'
import type { PluginUsers } from './plugin-users.ts'

interface Stage {
  readonly server: StartedServer
  readonly installs: FakeInstalls
}

async function stage(t: TestContext, parts: Partial<PluginInstalls> = {}, users?: PluginUsers): Promise<Stage> {
  const asking = echoPlugin('demo/asking', {
    permissions: ['exec rclone', 'fs:read /srv'],
    contributes: { 'demo.echo': { 'asking-echo': {} } },
  })
  const { kernel } = await demoKernel(t, asking)
  const installs = fakeInstalls(parts)
  return { installs, server: await startServer(t, kernel, { api: { installs, ...(users === undefined ? {} : { users }) } }) }
}

const json = { 'content-type': 'application/json' }
const post = (body: unknown): { method: string; headers: typeof json; body: string } => ({
  method: 'POST',
  headers: json,
  body: JSON.stringify(body),
})

test('a plan tells permissions in words, how settings and licence change, and its ETag', async (t) => {
  const { server } = await stage(t)
  const answer = await server.tcp('/api/plugins/plan', post({ changes: [{ kind: 'add', reference: '/srv/new' }] }))
  assert.deepEqual([answer.status, answer.headers.etag], [200, '"lock.plan"'])
  const { steps } = answer.json as { steps: Record<string, unknown>[] }
  assert.deepEqual(steps[0]?.['settings'], { added: ['fresh'], removed: ['old'], changed: ['same'], required: ['fresh'] })
  assert.deepEqual(steps[0]?.['license'], { from: null, to: 'MIT' })
  assert.match(answer.text, /"sentence":"run rclone, with all this program can do","risk":"high"/)
})

test('what is wrong with a request is refused before anything is planned', async (t) => {
  const { server, installs } = await stage(t)
  for (const body of [{}, { changes: [] }, { changes: [{ kind: 'add' }] }, { changes: [{ kind: 'grow', id: 'a/b' }] }]) {
    assert.equal((await server.tcp('/api/plugins/plan', post(body))).problem.code, 'SERVER_REQUEST_INVALID')
  }
  const both = await server.tcp('/api/plugins/install', post({ path: '/a', url: 'https://b' }))
  assert.match(both.problem.detail, /one of source, path and url/)
  const unchecked = await server.tcp('/api/plugins/install', post({ source: '/a', validate: false }))
  assert.deepEqual([unchecked.status, unchecked.problem.code], [400, 'SERVER_REQUEST_INVALID'])
  assert.match(unchecked.problem.detail, /every package is validated/)
  assert.deepEqual(installs.told, [])
  assert.equal((await server.tcp('/api/plugins/install', post({ source: '/a', validate: true }))).status, 201)
})

test('installing goes on after its answer when that is wished for, and tells how far it is', async (t) => {
  const begun = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const { server } = await stage(t, {
    apply: async (_, { onProgress }) => {
      onProgress?.({ done: 1, total: 2, phase: 'storing acme/new' })
      begun.resolve()
      await go.promise
      return { etag: 'x', steps: [] }
    },
  })
  const sent = post({ changes: [{ kind: 'add', reference: '/srv/new' }], etag: 'lock.plan' })
  const later = await server.tcp('/api/plugins/apply', { ...sent, headers: { ...json, prefer: 'respond-async' } })
  assert.equal(later.status, 202)
  await begun.promise
  const location = String(later.headers.location)
  const running = (await server.tcp(location)).json as { progress: unknown; status: string }
  assert.deepEqual([running.status, running.progress], ['running', { done: 1, total: 2, phase: 'storing acme/new' }])
  go.resolve()
  const ended = (await server.tcp(`${location}?wait=10`)).json as { status: string; result: { message: string } }
  assert.deepEqual([ended.status, ended.result.message], ['succeeded', 'nothing to do'])
})

function form(field: string, bytes: string, more = ''): { method: string; headers: Record<string, string>; body: string } {
  const part = `--x\r\nContent-Disposition: form-data; name="${field}"; filename="a.tgz"\r\nContent-Type: application/gzip\r\n\r\n${bytes}\r\n`
  return { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: `${part}${more}--x--\r\n` }
}

test('an archive is taken in a form or as it is, up to the limit of the host and no further', async (t) => {
  const { server, installs } = await stage(t)
  const taken = await server.tcp('/api/plugins/upload', form('plugin', 'a'.repeat(1_000)))
  assert.deepEqual([taken.status, (taken.json as { reference: string }).reference], [201, 'archive:/kept.tgz'], taken.text)
  const plain = { method: 'POST', headers: { 'content-type': 'application/gzip' }, body: 'b'.repeat(900) }
  assert.equal((await server.tcp('/api/plugins/upload', plain)).status, 201)
  assert.equal((await server.tcp('/api/plugins/install', form('plugin', 'c'))).status, 201)
  for (const sent of [form('plugin', 'a'.repeat(1_001)), { ...plain, body: 'b'.repeat(200_000) }]) {
    const refused = await server.tcp('/api/plugins/upload', sent)
    assert.deepEqual([refused.status, refused.problem.code], [413, 'SERVER_UPLOAD_TOO_LARGE'])
  }
  assert.deepEqual(installs.kept, [1_000, 900, 1])
})

test('an archive that is sent again under its key is installed once, and another one under that key is refused', async (t) => {
  let kept = 0
  const { server, installs } = await stage(t, {
    upload: async (bytes) => {
      let text = ''
      for await (const piece of bytes) text += Buffer.from(piece).toString()
      kept += 1
      return { reference: `archive:/${text}.tgz`, id: 'acme/new', version: '1.0.0', sizeBytes: text.length }
    },
  })
  const keyed = (bytes: string, boundary = 'x'): ReturnType<typeof form> => {
    const sent = form('plugin', bytes)
    const type = { 'content-type': `multipart/form-data; boundary=${boundary}`, 'idempotency-key': 'one' }
    return { ...sent, headers: type, body: sent.body.replaceAll('--x', `--${boundary}`) }
  }
  const [first, second] = await Promise.all([
    server.tcp('/api/plugins/install', keyed('abc')),
    server.tcp('/api/plugins/install', keyed('abc', 'other-boundary')),
  ])
  assert.deepEqual([first.status, second.status, kept, installs.told.length], [201, 201, 2, 1])
  assert.equal([first, second].filter(({ headers }) => headers['idempotency-replayed'] === 'true').length, 1)
  const other = await server.tcp('/api/plugins/install', keyed('abd'))
  assert.deepEqual([other.status, other.problem.code], [422, 'SERVER_IDEMPOTENCY_MISMATCH'])
  const wrong = await server.tcp('/api/plugins/upload', {
    ...keyed('abc'),
    headers: { ...keyed('abc').headers, 'idempotency-key': 'a b' },
  })
  assert.equal(wrong.problem.code, 'SERVER_IDEMPOTENCY_KEY_INVALID')
  const upload = { ...keyed('abc'), headers: { ...keyed('abc').headers, 'idempotency-key': 'two' } }
  assert.equal((await server.tcp('/api/plugins/upload', upload)).status, 201)
  assert.equal((await server.tcp('/api/plugins/upload', upload)).headers['idempotency-replayed'], 'true')
  assert.equal(installs.told.length, 1)
})

test('installing an archive that was sent goes on after the answer when that is wished for', async (t) => {
  const go = Promise.withResolvers<void>()
  const { server } = await stage(t, {
    apply: async () => {
      await go.promise
      return { etag: 'x', steps: [] }
    },
  })
  const sent = form('plugin', 'abc')
  const later = await server.tcp('/api/plugins/install', { ...sent, headers: { ...sent.headers, prefer: 'respond-async' } })
  assert.equal(later.status, 202, later.text)
  go.resolve()
  const ended = (await server.tcp(`${later.headers.location}?wait=10`)).json as { status: string; answer_status: number }
  assert.deepEqual([ended.status, ended.answer_status], ['succeeded', 201])
})

test('a form that is none, or holds something else, is refused', async (t) => {
  const { server, installs } = await stage(t)
  const second = '--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nvalue\r\n'
  const cut = form('plugin', 'abc')
  const wrong = [
    form('file', 'abc'),
    form('plugin', 'abc', second),
    { ...cut, headers: { 'content-type': 'multipart/form-data' } },
    { ...cut, body: cut.body.slice(0, -12) },
    { ...cut, body: 'nothing of that kind' },
    { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } },
  ]
  for (const [at, sent] of wrong.entries()) {
    const { status, problem } = await server.tcp('/api/plugins/upload', sent)
    assert.deepEqual([status, problem.code], [422, 'SERVER_UPLOAD_INVALID'], `${at}: ${problem.detail}`)
  }
  const none = await server.tcp('/api/plugins/upload', post({}))
  assert.equal(none.problem.code, 'SERVER_UPLOAD_INVALID')
  const packed = { ...cut, headers: { ...cut.headers, 'content-encoding': 'gzip' } }
  assert.equal((await server.tcp('/api/plugins/upload', packed)).problem.code, 'SERVER_BODY_ENCODED')
  assert.deepEqual([installs.told, installs.kept], [[], []], 'also what was refused for what came behind it')
})

test('only what a plugin asks for is approved, each by its text, and what was approved before stays', async (t) => {
  const { server, installs } = await stage(t)
  installs.granted.set('demo/asking', [])
  const view = (await server.tcp('/api/plugins/asking/permissions')).json as { unapproved: { permission: string }[] }
  assert.deepEqual(
    view.unapproved.map(({ permission }) => permission),
    ['exec rclone', 'fs:read /srv'],
  )
  const wrong = await server.tcp('/api/plugins/asking/approve', post({ permissions: ['exec rclon'] }))
  assert.deepEqual([wrong.status, wrong.problem.code], [422, 'SERVER_PERMISSION_NOT_ASKED'])
  assert.match(wrong.problem.detail, /did you mean "exec rclone"/)
  await server.tcp('/api/plugins/asking/approve', post({ permissions: ['exec rclone'] }))
  await server.tcp('/api/plugins/demo/asking/approve', post({ permissions: ['fs:read /srv'] }))
  assert.deepEqual(installs.granted.get('demo/asking'), ['exec rclone', 'fs:read /srv'])
  const stale = { ...post({ permissions: ['exec rclone'] }), headers: { ...json, 'if-match': '"old"' } }
  assert.equal((await server.tcp('/api/plugins/asking/revoke', stale)).status, 412)
  await server.tcp('/api/plugins/asking/revoke', post({ permissions: ['exec rclone'] }))
  assert.deepEqual(installs.granted.get('demo/asking'), ['fs:read /srv'])
  const grants = (await server.tcp('/api/grants')).json as { grants: { id: string }[] }
  assert.deepEqual(
    grants.grants.map(({ id }) => id),
    ['demo/asking'],
  )
})

test('of what only the version asks for that an update would bring it is said where to approve it, and it is not approved', async (t) => {
  const { permissions, ...step } = (await fakeInstalls().plan([{ kind: 'update' }], { signal: AbortSignal.timeout(1) }))
    .steps[0] as InstallPut
  const asking = { ...permissions, asked: ['exec rsync'] }
  let plan: PluginInstalls['plan'] = async () => ({
    etag: 'x',
    steps: [{ ...step, kind: 'update', id: 'demo/asking', version: '2.0.0', permissions: asking }],
  })
  const { server, installs } = await stage(t, { plan: (...given) => plan(...given), isInstalled: () => true })
  installs.granted.set('demo/asking', [])
  const approve = async (permission: string): Promise<readonly [number, string | undefined]> => {
    const { status, problem } = await server.tcp('/api/plugins/asking/approve', post({ permissions: [permission] }))
    return [status, problem.code]
  }
  const { problem } = await server.tcp('/api/plugins/asking/approve', post({ permissions: ['exec rsync'] }))
  assert.equal(problem.code, 'SERVER_PERMISSION_OF_UPDATE')
  assert.match(problem.detail, /1\.0\.0 does not ask for `exec rsync`; 2\.0\.0, which an update would bring, does/)
  assert.match(problem.hint ?? '', /^Run `backplane update demo\/asking`, which asks for it/)
  assert.deepEqual(await approve('exec sh'), [422, 'SERVER_PERMISSION_NOT_ASKED'])
  plan = () => Promise.reject(new Error('no network'))
  assert.deepEqual(await approve('exec rsync'), [422, 'SERVER_PERMISSION_NOT_ASKED'])
  assert.deepEqual(installs.granted.get('demo/asking'), [])
})

test('what is approved is what was approved when it is written, not when it was asked for', async (t) => {
  const { server, installs } = await stage(t, {
    permit: async ({ id }, permitted) => {
      // another host, or a person at the file, was faster
      installs.granted.set(id, ['fs:read /srv'])
      installs.granted.set(id, permitted({ approved: installs.granted.get(id) ?? [], withheld: [] }).approved)
    },
  })
  installs.granted.set('demo/asking', [])
  await server.tcp('/api/plugins/demo/asking/approve', post({ permissions: ['exec rclone'] }))
  assert.deepEqual(installs.granted.get('demo/asking'), ['fs:read /srv', 'exec rclone'])
})

test('packages are searched apart from what is installed, and who could not be asked is told', async (t) => {
  const asked: string[] = []
  const found = { reference: 'index:acme:acme/s3', source: 'index:acme', name: 'acme/s3', version: '1.2.0' }
  const problem = { source: 'https://npm.example/', code: 'FETCH_NOT_FOUND', message: 'it offers no search' }
  const search: PluginInstalls['search'] = async (text) => {
    asked.push(text)
    return { found: [{ ...found, description: undefined, tags: ['cloud'], asOf: undefined }], problems: [problem] }
  }
  const { server } = await stage(t, { search })
  const answer = (await server.tcp('/api/packages/search?q=object%20storage')).json
  const shown = { ...found, description: null, tags: ['cloud'], as_of: null }
  assert.deepEqual(answer, { query: 'object storage', packages: [shown], problems: [problem], count: 1 })
  assert.deepEqual(asked, ['object storage'])
  const long = await server.tcp(`/api/packages/search?q=${'x'.repeat(501)}`)
  assert.equal(long.problem.code, 'SERVER_REQUEST_INVALID')
  assert.deepEqual((await server.tcp('/api/plugins/search?q=one')).status, 200)
})

test('what is wrong on the disk is told, and put right only when that is said', async (t) => {
  const { server } = await stage(t)
  const finding = { kind: 'missing', subject: 'acme/new', problem: 'it is gone', action: 'fetched again' }
  assert.deepEqual((await server.tcp('/api/store/findings')).json, { ok: false, findings: [{ ...finding, fixed: false }] })
  const repaired = await server.tcp('/api/store/repair', { method: 'POST' })
  assert.deepEqual(repaired.json, { ok: true, findings: [{ ...finding, fixed: true }] })
})

test('a bundle is made, read by its digest, and restored from', async (t) => {
  const { server, installs } = await stage(t)
  const made = (await server.tcp('/api/lock/bundle', { method: 'POST' })).json as { location: string; digest: string }
  const read = await server.tcp(made.location)
  assert.deepEqual([read.text, read.headers['content-type'], read.headers['content-length']], ['bundle', 'application/gzip', '6'])
  const gone = await server.tcp('/api/lock/bundles/sha256:0')
  assert.deepEqual([gone.status, gone.problem.code], [404, 'SERVER_BUNDLE_UNKNOWN'])
  const restored = await server.tcp('/api/lock/restore', post({ bundle: 'bundle:/media/usb/plugins.bundle' }))
  const failed = [{ id: 'acme/lost', code: 'DEMO_LOST', message: 'nobody has it', hint: 'Look for it.' }]
  assert.deepEqual(restored.json, { restored: ['acme/new'], failed })
  assert.deepEqual((await server.tcp('/api/lock/restore', { method: 'POST' })).json, { restored: [], failed: [] })
  assert.equal((await server.tcp('/api/lock/restore', post({ bundel: 'x' }))).problem.code, 'SERVER_REQUEST_INVALID')
  assert.deepEqual(installs.told, ['restore bundle:/media/usb/plugins.bundle'])
})

test('what uses a plugin is named, and keeps it from being removed until force is said', async (t) => {
  const { server } = await stage(t, {}, ({ id }) => (id === 'demo/one' ? ['provider east', '2 running exports'] : []))
  const refused = await server.tcp('/api/plugins/one', { method: 'DELETE' })
  assert.deepEqual([refused.status, refused.problem.code], [409, 'SERVER_PLUGIN_IN_USE'])
  assert.deepEqual(refused.problem.details?.['users'], ['provider east', '2 running exports'])
  assert.equal((await server.tcp('/api/plugins/one')).status, 200)
  assert.equal((await server.tcp('/api/plugins/one?force=true', { method: 'DELETE' })).status, 204)
  assert.equal((await server.tcp('/api/plugins/one')).status, 404)
})

test('what is installed goes through the installer, and its own files only when that is said', async (t) => {
  const { server, installs } = await stage(t, { isInstalled: ({ id }) => id === 'demo/two' })
  assert.equal((await server.tcp('/api/plugins/two?with_users=true', { method: 'DELETE' })).status, 204)
  assert.deepEqual(
    installs.told.map((one) => JSON.parse(one).changes),
    [[{ kind: 'remove', id: 'demo/two', withUsers: true }]],
  )
  const kept = await stage(t)
  await kept.server.tcp('/api/plugins/two', { method: 'DELETE' })
  await kept.server.tcp('/api/plugins/off?deleteFiles=true', { method: 'DELETE' })
  assert.deepEqual(kept.installs.told, ['delete demo/off'])
})

test('files are not deleted where the host deletes none', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const answer = await server.tcp('/api/plugins/two?deleteFiles=true', { method: 'DELETE' })
  assert.deepEqual([answer.status, answer.problem.code], [409, 'SERVER_FILES_KEPT'])
  assert.equal((await server.tcp('/api/plugins/two')).status, 200)
  assert.equal(
    (await server.tcp('/api/plugins/plan', post({ changes: [] }))).status,
    405,
    'nothing is installed without an installer',
  )
})

test('to look at what is installed `read` is enough; to change it, or to have the host ask around, is `install`', async (t) => {
  const { server } = await stage(t)
  const made = async (scope: string, plugins?: readonly string[]): Promise<string> => {
    const answer = await server.tcp('/api/tokens', post({ name: `${scope}${plugins?.length ?? ''}`, scope, plugins }))
    return (answer.json as { token: string }).token
  }
  const [read, operate, team] = [await made('read'), await made('operate'), await made('install', ['demo/*'])]
  for (const path of ['/api/lock', '/api/grants', '/api/trust', '/api/plugins/one/permissions', '/api/plugins/one/verdict']) {
    assert.equal((await server.as(read, path)).status, 200, path)
  }
  const changes = ['plan', 'apply', 'install', 'upload', 'one/update', 'one/approve', 'one/revoke'].map(
    (each) => `/api/plugins/${each}`,
  )
  for (const path of [...changes, '/api/lock/restore', '/api/store/gc']) {
    assert.equal((await server.as(operate, path, post({}))).problem.code, 'SERVER_SCOPE_REFUSED', path)
  }
  assert.equal((await server.as(operate, '/api/plugins/outdated')).problem.code, 'SERVER_SCOPE_REFUSED')
  assert.equal((await server.as(team, '/api/plugins/one/update', post({}))).status, 200)
  for (const path of ['/api/plugins/plan', '/api/plugins/apply', '/api/plugins/install']) {
    assert.equal((await server.as(team, path, post({}))).problem.code, 'SERVER_PLUGINS_REFUSED', path)
  }
})

test('a token for some plugins changes no others by the way of what needs what', async (t) => {
  const { server, installs } = await stage(t, {
    plan: async () => ({ etag: 'e', steps: [{ kind: 'remove', id: 'other/one', version: '1.0.0', isOrphan: true }] }),
    isInstalled: () => true,
  })
  const made = await server.tcp('/api/tokens', post({ name: 'team', scope: 'install', plugins: ['demo/*'] }))
  const { token } = made.json as { token: string }
  assert.equal((await server.as(token, '/api/plugins/one/update', post({}))).problem.code, 'SERVER_PLUGINS_REFUSED')
  assert.equal((await server.as(token, '/api/plugins/one', { method: 'DELETE' })).problem.code, 'SERVER_PLUGINS_REFUSED')
  assert.deepEqual(installs.told, [])
})

test('what ships with the host is listed by itself, and a status is a few words', async (t) => {
  const { server } = await stage(t)
  const built = (await server.tcp('/api/plugins/builtin')).json as { count: number }
  const all = (await server.tcp('/api/plugins')).json as { plugins: { origin: string }[] }
  assert.equal(built.count, all.plugins.filter(({ origin }) => origin === 'bundled').length)
  assert.deepEqual((await server.tcp('/api/plugins/off/status')).json, {
    id: 'demo/off',
    name: 'off',
    status: 'disabled',
    state: 'disabled',
    enabled: false,
    reason: 'too loud',
  })
})

test('a client that sends far too much is told so, and not that the connection was lost', async (t) => {
  const { server } = await stage(t)
  const api = new ApiClient({ kind: 'socket', path: server.socket }, 10_000)
  const piece = Buffer.alloc(64 * 1_024)
  const pieces = 512
  const bytes = Readable.from(
    (function* () {
      for (let at = 0; at < pieces; at += 1) yield piece
    })(),
    { objectMode: false },
  )
  const sizeBytes = pieces * piece.length
  await assert.rejects(api.upload('/api/plugins/upload', { type: 'application/octet-stream', bytes, sizeBytes }), {
    code: 'SERVER_UPLOAD_TOO_LARGE',
  })
})
