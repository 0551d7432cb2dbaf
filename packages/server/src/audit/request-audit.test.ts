import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Kernel } from '@backplane/kernel'
import { OperationView } from '../api/operation-definitions.ts'
import { changesOf, demoKernel } from '../fixtures/demo-kernel.ts'
import { rememberedTrail, type RememberedTrail } from '../fixtures/remembered-trail.ts'
import { startServer, type StartedServer } from '../fixtures/start-server.ts'
import { managementAccess } from '../guard/access.ts'
import { requestActions } from './request-action.ts'
import { AuditPageView, AuditReportView } from './audit-definitions.ts'
import { requestAudit, type RequestAuditOptions } from './request-audit.ts'

interface Audited extends StartedServer {
  readonly trail: RememberedTrail
  readonly kernel: Kernel
  /** Of a token that was just made. */
  readonly reader: string
  /** Action, subject, outcome and reason of what was written since the last look. */
  readonly written: () => readonly string[]
}

async function audited(t: TestContext, options: Partial<RequestAuditOptions> = {}): Promise<Audited> {
  const { kernel } = await demoKernel(t)
  const trail = rememberedTrail()
  const pluginId = (named: string): string | undefined => kernel.plugins.get(named)?.id
  const audit = requestAudit(trail, { access: managementAccess, pluginId, ...options })
  const server = await startServer(t, kernel, { guard: { audit }, api: { audit: trail } })
  const { secret } = await server.tokens.create({ name: 'reader', scope: 'read' })
  const written = (): readonly string[] =>
    trail.records.splice(0).map((one) => [one.action, one.subject, one.outcome, one.reason].filter(Boolean).join(' '))
  return { ...server, trail, kernel, reader: secret, written }
}

test('a change is written before it is done and with what came of it, and by whom; a look is not', async (t) => {
  const server = await audited(t)
  assert.equal((await server.tcp('/api/plugins')).status, 200)
  assert.equal((await server.unix('/api/plugins/one/disable', { method: 'POST' })).status, 200)
  const [asked, done, ...more] = server.trail.records
  assert.deepEqual(more, [])
  assert.deepEqual(
    [asked?.action, asked?.subject, asked?.plugin, asked?.outcome],
    ['plugins.disable', 'one', 'demo/one', 'asked'],
  )
  assert.deepEqual(asked?.actor, { kind: 'token', name: 'unix socket', scope: 'admin', peer: 'unix' })
  assert.deepEqual([done?.outcome, done?.details, done?.trace], ['ok', { status: 200 }, asked?.trace])
  server.written()
  assert.equal((await server.tcp('/api/plugins/none/enable', { method: 'POST' })).status, 404)
  assert.equal(server.trail.records[1]?.actor.peer, '127.0.0.1')
  assert.deepEqual(server.written(), ['plugins.enable none asked', 'plugins.enable none refused SERVER_PLUGIN_UNKNOWN'])
  await server.tcp('/api/tokens')
  assert.deepEqual(server.written(), ['tokens.read /api/tokens asked', 'tokens.read /api/tokens ok'])
})

test('a refusal is written with its code and who was refused; equal ones once, with their number', async (t) => {
  const server = await audited(t)
  for (let time = 0; time < 3; time += 1) {
    assert.equal((await server.as(server.reader, '/api/plugins/one/disable', { method: 'POST' })).status, 403)
  }
  await server.as('nonsense', '/api/plugins')
  await server.as('nonsense', '/api/plugins/%zz')
  await server.bare('/api/plugins', { method: 'TRACE' })
  const { actor } = server.trail.records[0] ?? {}
  assert.deepEqual(actor, { kind: 'token', name: 'reader', scope: 'read', peer: '127.0.0.1' })
  const written = server.written()
  assert.deepEqual(written.slice(0, 2), [
    'plugins.disable one refused SERVER_SCOPE_REFUSED',
    'plugins.read /api/plugins refused SERVER_TOKEN_REFUSED',
  ])
  assert.deepEqual(changesOf(server.kernel), [])
})

test('while the log cannot be written nothing is changed, unless the host says so, and looking goes on', async (t) => {
  const server = await audited(t)
  server.trail.full = true
  assert.equal((await server.tcp('/api/plugins/one/disable', { method: 'POST' })).status, 500)
  assert.equal((await server.tcp('/api/plugins')).status, 200)
  assert.equal((await server.tcp('/api/tokens')).status, 200)
  assert.deepEqual(changesOf(server.kernel), [])
  const lax = await audited(t, { onFailure: 'warn', log: { write: () => undefined } })
  lax.trail.full = true
  assert.equal((await lax.tcp('/api/plugins/one/disable', { method: 'POST' })).status, 200)
})

test('what was done and could then not be written is answered as done: that it was asked for is written', async (t) => {
  const server = await audited(t)
  const subscribed = server.kernel.events.subscribe(() => void (server.trail.full = true))
  t.after(() => subscribed[Symbol.dispose]())
  assert.equal((await server.tcp('/api/plugins/one/disable', { method: 'POST' })).status, 200)
  assert.deepEqual(server.written(), ['plugins.disable one asked'])
})

test('of a change that goes on after its answer it is written what came of it in the end', async (t) => {
  const server = await audited(t)
  const sent = { method: 'POST', headers: { prefer: 'respond-async', 'if-match': '"another"' } }
  const answered = await server.tcp('/api/plugins/one/disable', sent)
  assert.equal(answered.status, 202)
  const ended = await server.tcp(`/api/operations/${answered.as(OperationView).id}?wait=10`)
  assert.equal(ended.as(OperationView).answer_status, 412)
  assert.deepEqual(server.written(), ['plugins.disable one asked', 'plugins.disable one refused SERVER_STATE_CHANGED'])
})

test('with everything asked for looks are written too', async (t) => {
  const server = await audited(t, { all: true })
  await server.tcp('/api/plugins/one/why')
  assert.deepEqual(server.written(), ['plugins.why one asked', 'plugins.why one ok'])
})

test('an action is called after its route, also where the id has its slash as it is', () => {
  const actionOf = requestActions(managementAccess)
  const named = (method: string, path: string): readonly unknown[] => {
    const { action, subject, plugin, scope } = actionOf(method, path)
    return [action, subject, plugin, scope]
  }
  assert.deepEqual(named('POST', '/api/plugins/reload'), ['plugins.reload', '/api/plugins/reload', undefined, 'install'])
  assert.deepEqual(named('POST', '/api/plugins/demo/one/reload'), ['plugins.reload', 'demo/one', 'demo/one', 'install'])
  assert.deepEqual(named('DELETE', '/api/plugins/demo%2Fone'), ['plugins.delete', 'demo/one', 'demo/one', 'install'])
  assert.deepEqual(named('POST', '/api/tokens'), ['tokens.create', '/api/tokens', undefined, 'admin'])
  assert.deepEqual(named('DELETE', '/api/tokens/ci'), ['tokens.delete', 'ci', undefined, 'admin'])
  assert.deepEqual(named('POST', '/nothing'), ['api.unknown', '/nothing', undefined, 'admin'])
})

test('the log is shown and checked over the API, for admins alone and without paths of the host', async (t) => {
  const problem = {
    kind: 'changed',
    seq: 3,
    file: '/var/audit/1.jsonl',
    line: 3,
    message: '/var/audit/1.jsonl holds it',
  } as const
  const report = { ok: false, records: 3, first: 1, last: 3, digest: 'd', checked: { key: true, head: true }, tornBytes: 0 }
  const trail = rememberedTrail({ ...report, problems: [problem] })
  const server = await startServer(t, (await demoKernel(t)).kernel, { api: { audit: trail } })
  await trail.append({ actor: { kind: 'host', name: 'host' }, action: 'a.b', subject: 's', outcome: 'noted' })
  const page = (await server.tcp('/api/audit?plugin=demo/one&action=a.*&since=1970-01-01T00:00:01Z&limit=5&before=9')).as(
    AuditPageView,
  )
  assert.deepEqual([page.records[0]?.action, page.next], ['a.b', null])
  assert.deepEqual(trail.queries, [
    { plugin: 'demo/one', action: 'a.*', limit: 5, before: 9, sinceMs: 1_000, untilMs: undefined },
  ])
  const checked = (await server.tcp('/api/audit/verify', { method: 'POST' })).as(AuditReportView)
  assert.deepEqual([checked.ok, checked.problems[0]?.message], [false, '1.jsonl holds it'])
  assert.equal((await server.tcp('/api/audit?limit=0')).status, 400)
  const { secret } = await server.tokens.create({ name: 'operator', scope: 'install' })
  assert.equal((await server.as(secret, '/api/audit')).problem.code, 'SERVER_SCOPE_REFUSED')
  assert.equal((await server.as(secret, '/api/audit/verify', { method: 'POST' })).problem.code, 'SERVER_SCOPE_REFUSED')
})
