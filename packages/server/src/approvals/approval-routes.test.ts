import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ApprovalBook } from '@backplane/kernel'
import { anything, defineProvider, unary, type Scope } from '@backplane/sdk'
import { testKernel, type TestKernel } from '@backplane/testing'
import { ApiClient, follow } from '../client/index.ts'
import { rememberedApprovals } from '../fixtures/remembered-approvals.ts'
import { startServer, type Sent, type StartedServer } from '../fixtures/start-server.ts'
import { ApprovalList, ApprovalView } from './approval-definitions.ts'

const disks = defineProvider('demo.disks', {
  wipe: unary(anything, anything, { approval: (disk) => `wipe the disk ${String(disk)}` }),
})

interface Stage extends TestKernel {
  readonly server: StartedServer
  readonly book: ApprovalBook
  readonly wipe: (disk: string) => Promise<unknown>
}

async function stage(t: TestContext): Promise<Stage> {
  const book = rememberedApprovals()
  const given = Promise.withResolvers<Scope>()
  const core = {
    manifest: { id: 'demo/core', contributes: { 'demo.disks': { core: {} } } },
    setup: (scope: Scope) => scope.provide(disks, 'core', { wipe: (disk) => `wiped ${String(disk)}` }),
  }
  const user = { manifest: { id: 'demo/user', version: '1.2.0' }, setup: (scope: Scope) => given.resolve(scope) }
  const kernel = await testKernel({ points: [disks], plugins: [core, user], approvals: { desk: book } })
  t.after(() => kernel[Symbol.asyncDispose]())
  await kernel.kernel.plugins.start('demo/user')
  const scope = await given.promise
  const server = await startServer(t, kernel.kernel, { api: { approvals: book } })
  return { ...kernel, server, book, wipe: (disk) => scope.use(disks, 'core').wipe(disk) }
}

const post = (body?: unknown): Sent =>
  body === undefined
    ? { method: 'POST' }
    : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }

test('who has admin lists what waits, denies it with a reason, and approves the next; deciding twice tells who was first', async (t) => {
  const { server, wipe, event } = await stage(t)
  const denied = assert.rejects(wipe('sda'), { code: 'APPROVAL_DENIED', message: /in use/ })
  const { approval: id } = await event('approval.asked')
  const { approvals, count } = (await server.tcp('/api/approvals?state=pending')).as(ApprovalList)
  assert.equal(count, 1)
  const { sentence, plugin, version, input, state } = approvals[0] ?? assert.fail()
  assert.deepEqual([sentence, plugin, version, input, state], ['wipe the disk sda', 'demo/user', '1.2.0', 'sda', 'pending'])
  const answer = (await server.tcp(`/api/approvals/${id}/deny`, post({ reason: 'in use' }))).as(ApprovalView)
  assert.deepEqual([answer.state, answer.by, answer.reason], ['denied', 'token file', 'in use'])
  await denied
  const { problem } = await server.unix(`/api/approvals/${id}/approve`, post())
  assert.deepEqual([problem.status, problem.code], [409, 'SERVER_APPROVAL_DECIDED'])
  assert.match(problem.detail, /denied by token file/)
  const wiping = wipe('sdb')
  const next = await event('approval.asked', ({ approval }) => approval !== id)
  assert.equal((await server.unix(`/api/approvals/${next.approval}/approve`, post())).status, 200)
  assert.equal(await wiping, 'wiped sdb')
  assert.equal((await server.tcp(`/api/approvals/${next.approval}`)).as(ApprovalView).by, 'unix socket')
  assert.equal((await server.tcp('/api/approvals?plugin=demo/user')).as(ApprovalList).count, 2)
  assert.ok(server.log.some(({ message, fields }) => message === 'it was denied' && fields?.['by'] === 'token file'))
})

test('nobody answers without admin for the whole host, a plugin with a lesser token least of all', async (t) => {
  const { server, wipe, event, book } = await stage(t)
  const asking = wipe('sda')
  const { approval: id } = await event('approval.asked')
  for (const scope of ['read', 'operate', 'install'] as const) {
    const { secret } = await server.tokens.create({ name: scope, scope })
    assert.equal((await server.as(secret, `/api/approvals/${id}`)).status, 200)
    for (const verb of ['approve', 'deny']) {
      const { problem } = await server.as(secret, `/api/approvals/${id}/${verb}`, post())
      assert.equal(problem.code, 'SERVER_SCOPE_REFUSED')
    }
  }
  const { secret } = await server.tokens.create({ name: 'own', scope: 'admin', plugins: ['demo/user'] })
  for (const path of [`/api/approvals/${id}/approve`, `/api/approvals/%${id.charCodeAt(0).toString(16)}${id.slice(1)}/approve`]) {
    assert.equal((await server.as(secret, path, post())).problem.code, 'SERVER_PLUGINS_REFUSED')
  }
  assert.equal((await server.bare(`/api/approvals/${id}/approve`, post())).status, 401)
  assert.equal(book.get(id)?.state, 'pending')
  book.decide(id, { approved: true, by: 'test' })
  await asking
})

test('what does not fit is refused, and a host that asks nobody has no such routes', async (t) => {
  const { server, kernel } = await stage(t)
  assert.equal((await server.tcp('/api/approvals/0123/approve', post())).problem.code, 'SERVER_APPROVAL_UNKNOWN')
  assert.equal((await server.tcp('/api/approvals/0123')).problem.code, 'SERVER_APPROVAL_UNKNOWN')
  for (const path of ['/api/approvals?state=open', '/api/approvals?limit=0', '/api/approvals/..%2Fx']) {
    assert.equal((await server.tcp(path)).status, 400, path)
  }
  for (const body of [{ reason: 'x'.repeat(501) }, { approved: true }]) {
    assert.equal((await server.tcp('/api/approvals/01/deny', post(body))).problem.code, 'SERVER_REQUEST_INVALID')
  }
  const other = await startServer(t, kernel)
  assert.equal((await other.tcp('/api/approvals')).status, 404)
})

test('questions and decisions come with the events, for those who may see the plugin', async (t) => {
  const { server, wipe, event, book } = await stage(t)
  const asking = wipe('sda')
  const { approval } = await event('approval.asked')
  book.decide(approval, { approved: true, by: 'ann' })
  await asking
  const over = new AbortController()
  const seen: unknown[] = []
  const api = new ApiClient({ kind: 'socket', path: server.socket }, 10_000)
  for await (const { event: type, data } of follow(api, '/api/events', { since: '0', signal: over.signal })) {
    if (!type.startsWith('approval.')) continue
    seen.push([type, Reflect.get(Object(data), 'approval'), Reflect.get(Object(data), 'outcome')])
    if (type === 'approval.ended') break
  }
  over.abort()
  assert.deepEqual(seen, [
    ['approval.asked', approval, undefined],
    ['approval.ended', approval, 'approved'],
  ])
})
