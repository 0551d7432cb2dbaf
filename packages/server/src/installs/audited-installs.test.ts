import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { fakeInstalls } from '../fixtures/fake-installs.ts'
import { rememberedTrail } from '../fixtures/remembered-trail.ts'
import { startServer } from '../fixtures/start-server.ts'

test('what was installed, approved and taken back, and who may call, is written down with who did it', async (t) => {
  const permissions = ['exec rclone', 'fs:read /srv']
  const asking = echoPlugin('demo/asking', { permissions, contributes: { 'demo.echo': { 'asking-echo': {} } } })
  const { kernel } = await demoKernel(t, asking)
  const audit = rememberedTrail()
  const installs = fakeInstalls()
  installs.granted.set('demo/asking', [])
  const server = await startServer(t, kernel, { api: { installs, audit } })
  const { secret } = await server.tokens.create({ name: 'ops', scope: 'admin' })
  const send = async (path: string, body: unknown): Promise<number> =>
    (
      await server.as(secret, path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    ).status
  const done = (): readonly string[] =>
    audit.records.splice(0).map(({ action, subject, plugin, actor, outcome }) => {
      return [action, subject, ...(plugin === undefined ? [] : [plugin]), actor.name, outcome].join(' ')
    })
  const changes = [
    { kind: 'add', reference: '/srv/new' },
    { kind: 'remove', id: 'acme/old' },
  ]
  await send('/api/plugins/apply', { changes, etag: 'lock.plan', approvals: { 'acme/new': ['exec rclone'] } })
  assert.equal(audit.records[0]?.details?.['digest'], `sha256:${'0'.repeat(64)}`)
  assert.deepEqual(done(), [
    'package.installed acme/new 1.0.0 acme/new ops ok',
    'permission.approved exec rclone acme/new ops ok',
    'package.removed acme/old 1.0.0 acme/old ops ok',
  ])
  assert.equal(await send('/api/plugins/asking/approve', { permissions }), 200)
  assert.equal(await send('/api/plugins/asking/revoke', { permissions: ['exec rclone'] }), 200)
  assert.equal(await send('/api/plugins/asking/approve', { permissions: ['nobody asks for it'] }), 422)
  assert.deepEqual(done(), [
    'permission.approved exec rclone demo/asking ops ok',
    'permission.approved fs:read /srv demo/asking ops ok',
    'permission.revoked exec rclone demo/asking ops ok',
  ])
  assert.equal(await send('/api/tokens', { name: 'ci', scope: 'install', plugins: ['acme/*'] }), 201)
  assert.deepEqual(audit.records[0]?.details, { scope: 'install', plugins: 'acme/*' })
  assert.equal((await server.as(secret, '/api/tokens/ci', { method: 'DELETE' })).status, 204)
  assert.deepEqual(done(), ['token.made ci ops ok', 'token.revoked ci ops ok'])
})
