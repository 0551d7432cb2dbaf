import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { inlineRuntime, testKernel, type TestKernel } from '@backplane/testing'
import { fakeInstalls } from '../fixtures/fake-installs.ts'
import { startServer, type StartedServer } from '../fixtures/start-server.ts'
import { PermissionsView } from './permission-definitions.ts'

const read = 'fs:read /srv/images'
const net = 'net:connect a.example:443'

async function stage(t: TestContext, audit: boolean): Promise<{ readonly host: TestKernel; readonly server: StartedServer }> {
  const runtime = inlineRuntime({ cannotAudit: () => undefined })
  const plugins = [{ manifest: { id: 'demo/it', permissions: [read, net, 'exec rclone'] } }]
  const host = await testKernel({ plugins, runtimes: [runtime], settings: () => ({ audit }) })
  t.after(() => host[Symbol.asyncDispose]())
  await host.kernel.plugins.start('demo/it')
  const installs = fakeInstalls()
  installs.withheldFrom.set('demo/it', [])
  runtime.tellUse('demo/it', { verb: 'fs:read', what: '/srv/images/a/1.raw', by: 'plugin' })
  runtime.tellUse('demo/it', { verb: 'net:connect', what: 'a.example:443', by: 'host' })
  return { host: { ...host, runtime }, server: await startServer(t, host.kernel, { api: { installs } }) }
}

test('permissions tell what was used, by whose word, and the least that would have done', async (t) => {
  const { server, host } = await stage(t, true)
  const { used, proposal, audit } = (await server.unix('/api/plugins/it/permissions')).as(PermissionsView)
  assert.deepEqual(audit, { on: true, reason: null })
  assert.deepEqual(
    used.map((one) => [one.permission, one.used?.count, one.used?.by, one.used?.seen, one.unknown]),
    [
      [read, 1, 'plugin', ['/srv/images/a/1.raw'], null],
      [net, 1, 'host', ['a.example:443'], null],
      ['exec rclone', 0, null, [], null],
    ],
  )
  const narrower = { [read]: ['fs:read /srv/images/a'] }
  assert.deepEqual(proposal, { since: null, used: [read, net], unknown: [], unused: ['exec rclone'], narrower })
  const since = new Date(host.clock.now() + 1).toISOString()
  const later = (await server.unix(`/api/plugins/it/permissions?since=${since}`)).as(PermissionsView)
  assert.deepEqual([later.proposal.used, later.proposal.unused], [[], [read, net, 'exec rclone']])
  const { findings } = (await server.unix('/api/plugins/it/why')).json as {
    readonly findings: readonly { readonly what: string }[]
  }
  assert.ok(findings.some(({ what }) => what === 'It runs in audit mode.'))
})

test('what this host cannot tell is null with the reason, and nothing is proposed away for it', async (t) => {
  const { server } = await stage(t, false)
  const { used, proposal, audit } = (await server.unix('/api/plugins/it/permissions')).as(PermissionsView)
  assert.equal(audit, null)
  const [, , exec] = used
  assert.deepEqual([exec?.used, exec?.watched_since], [null, null])
  assert.match(exec?.unknown ?? '', /in audit mode/)
  assert.deepEqual([proposal.unknown, proposal.unused], [['exec rclone'], []])
  const wrong = await server.unix('/api/plugins/it/permissions?since=yesterday')
  assert.deepEqual([wrong.status, wrong.problem.code], [400, 'SERVER_REQUEST_INVALID'])
})
