import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { fakeInstalls, type FakeInstalls } from '../fixtures/fake-installs.ts'
import { rememberedTrail, type RememberedTrail } from '../fixtures/remembered-trail.ts'
import { startServer, type Answered, type Sent, type StartedServer } from '../fixtures/start-server.ts'

const asked = ['exec rclone', 'fs:read /srv']

interface Stage {
  readonly server: StartedServer
  readonly installs: FakeInstalls
  readonly audit: RememberedTrail
}

async function stage(t: TestContext): Promise<Stage> {
  const contributes = { 'demo.echo': { 'asking-echo': {} } }
  const { kernel } = await demoKernel(t, echoPlugin('demo/asking', { permissions: asked, contributes }))
  const installs = fakeInstalls()
  const audit = rememberedTrail()
  return { server: await startServer(t, kernel, { api: { installs, audit } }), installs, audit }
}

function post(permissions: readonly string[]): Sent {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ permissions }) }
}

function answersIn({ json }: Answered): unknown {
  const { approved, withheld, unapproved } = json as Record<string, readonly { readonly permission: string }[]>
  const texts = (list: typeof withheld): unknown => list?.map(({ permission }) => permission)
  return { approved, withheld: texts(withheld), unapproved: texts(unapproved) }
}

test('what is withheld counts as answered, until it is approved; both are in the audit log with who did it', async (t) => {
  const { server, installs, audit } = await stage(t)
  installs.granted.set('demo/asking', asked)
  const done = (): readonly string[] =>
    audit.records.splice(0).map(({ action, subject, actor }) => `${action} ${subject} ${actor.name}`)
  const { secret } = await server.tokens.create({ name: 'ops', scope: 'admin' })
  const kept = await server.as(secret, '/api/plugins/asking/withhold', post(['exec rclone']))
  assert.deepEqual(answersIn(kept), { approved: ['fs:read /srv'], withheld: ['exec rclone'], unapproved: [] })
  assert.deepEqual(done(), ['permission.revoked exec rclone ops', 'permission.withheld exec rclone ops'])
  const grants = (await server.tcp('/api/grants')).json as { readonly grants: readonly { readonly withheld: unknown }[] }
  assert.deepEqual(grants.grants[0]?.withheld, ['exec rclone'])
  await server.as(secret, '/api/plugins/asking/revoke', post(['fs:read /srv']))
  const open = await server.tcp('/api/plugins/asking/permissions')
  assert.deepEqual(answersIn(open), { approved: [], withheld: ['exec rclone'], unapproved: ['fs:read /srv'] })
  done()
  const back = await server.as(secret, '/api/plugins/asking/approve', post(['exec rclone']))
  assert.deepEqual(answersIn(back), { approved: ['exec rclone'], withheld: [], unapproved: ['fs:read /srv'] })
  assert.deepEqual(done(), ['permission.approved exec rclone ops', 'permission.given-back exec rclone ops'])
})

test('where everything counts as approved only what is withheld is kept', async (t) => {
  const { server, installs } = await stage(t)
  const kept = await server.tcp('/api/plugins/asking/withhold', post(['exec rclone']))
  assert.deepEqual(answersIn(kept), { approved: null, withheld: ['exec rclone'], unapproved: [] })
  const back = await server.tcp('/api/plugins/asking/approve', post(['exec rclone']))
  assert.deepEqual(answersIn(back), { approved: null, withheld: [], unapproved: [] })
  assert.equal(installs.granted.size, 0)
})

test('nothing is withheld that it does not ask for, and the nearest is named', async (t) => {
  const { server, installs } = await stage(t)
  const { status, problem } = await server.tcp('/api/plugins/asking/withhold', post(['exec rclon']))
  assert.deepEqual([status, problem.code], [422, 'SERVER_PERMISSION_NOT_ASKED'])
  assert.match(problem.detail, /did you mean "exec rclone"/)
  assert.deepEqual(installs.withheldFrom.get('demo/asking') ?? [], [])
})

test('to withhold takes `admin`, and so does to give back, while other approvals do not', async (t) => {
  const { server, installs } = await stage(t)
  installs.granted.set('demo/asking', [])
  installs.withheldFrom.set('demo/asking', ['exec rclone'])
  const { secret } = await server.tokens.create({ name: 'ci', scope: 'install' })
  for (const [path, permissions] of [
    ['withhold', ['fs:read /srv']],
    ['approve', ['exec rclone']],
    ['approve', asked],
  ] as const) {
    const { status, problem } = await server.as(secret, `/api/plugins/asking/${path}`, post(permissions))
    assert.deepEqual([status, problem.code], [403, 'SERVER_SCOPE_REFUSED'], `${path} ${permissions.join()}`)
  }
  assert.deepEqual([installs.withheldFrom.get('demo/asking'), installs.granted.get('demo/asking')], [['exec rclone'], []])
  assert.equal((await server.as(secret, '/api/plugins/asking/approve', post(['fs:read /srv']))).status, 200)
})
