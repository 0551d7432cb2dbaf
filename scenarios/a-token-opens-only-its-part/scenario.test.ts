import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'

interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly security: readonly { readonly token?: readonly string[] }[] }>>>
  >
}

test('the API document says which scope each route of the daemon needs; only tokens, profiles, decisions and the audit log need admin', async (t) => {
  const daemon = await Hypervisord.start(await makePlaces(t))
  const { paths } = (await daemon.get('/openapi.json')).body as OpenApi
  const byScope = new Map<string, string[]>()
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { security }] of Object.entries(item)) {
      const scope = security[0]?.token?.[0] ?? 'none'
      byScope.set(scope, [...(byScope.get(scope) ?? []), `${method} ${path}`])
    }
  }
  assert.deepEqual(byScope.get('none')?.toSorted(), ['get /healthz', 'get /readyz'])
  assert.deepEqual(byScope.get('admin')?.toSorted(), [
    'delete /api/tokens/{name}',
    'get /api/audit',
    'get /api/tokens',
    'post /api/approvals/{id}/approve',
    'post /api/approvals/{id}/deny',
    'post /api/audit/verify',
    'post /api/plugins/{id}/profile',
    'post /api/plugins/{id}/withhold',
    'post /api/tokens',
  ])
  const operate = byScope.get('operate') ?? []
  assert.ok(operate.includes('post /jobs/submit') && operate.includes('post /jobs/cancel'), operate.join())
  assert.ok(byScope.get('read')?.includes('post /jobs/query'))
})

test('behind TLS each token opens its part of the daemon, also after a restart, until it is revoked', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const places = await makePlaces(t)
  const [certificate, key] = [join(places.root, 'cert.pem'), join(places.root, 'key.pem')]
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ]
  execFileSync('openssl', [...made, '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  const listen = `listen: "0.0.0.0:0", tls: { certificate: cert.pem, key: key.pem }, allowed_origins: ['https://console.example']`
  await Hypervisord.configure(places, (yaml) => yaml.replace('listen: false', listen))
  let daemon = await Hypervisord.start(places)
  assert.match(daemon.output, /"level":"warn".*other machines reach the API/)
  const ca = await readFile(certificate, 'utf8')
  const send = async (
    token: string,
    method: string,
    path: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; code: unknown; headers: IncomingMessage['headers'] }> => {
    const port = Number(
      /https:\/\/0\.0\.0\.0:(\d+)"[^\n]*"msg":"ready"|"msg":"ready"[^\n]*https:\/\/0\.0\.0\.0:(\d+)"/
        .exec(daemon.output)
        ?.slice(1)
        .find(Boolean),
    )
    const headers = { authorization: `Bearer ${token}`, ...more }
    const sent = request({ host: '127.0.0.1', servername: 'localhost', port, ca, method, path, headers, agent: false }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const body = await text(answer)
    const json: unknown = body.startsWith('{') ? JSON.parse(body) : undefined
    return { status: answer.statusCode ?? 0, code: Reflect.get(Object(json), 'code'), headers: answer.headers }
  }
  const make = async (wanted: object): Promise<string> => {
    const answer = await daemon.post('/api/tokens', wanted)
    assert.equal(answer.status, 201, answer.text)
    return answer.body.token
  }
  const reader = await make({ name: 'reader', scope: 'read' })
  const team = await make({ name: 'team', scope: 'install', plugins: ['hypersdk/disk-images'] })
  const allowed: [string, string, string][] = [
    [reader, 'GET', '/status'],
    [reader, 'GET', '/api/providers'],
    [reader, 'POST', '/jobs/query'],
    [team, 'GET', '/api/plugins/disk-images'],
    [team, 'POST', '/api/plugins/disk-images/disable'],
  ]
  for (const [token, method, path] of allowed) assert.equal((await send(token, method, path)).status, 200, path)
  const refused: [string, string, string, string][] = [
    [reader, 'POST', '/jobs/submit', 'SERVER_SCOPE_REFUSED'],
    [reader, 'POST', '/jobs/cancel', 'SERVER_SCOPE_REFUSED'],
    [reader, 'GET', '/api/tokens', 'SERVER_SCOPE_REFUSED'],
    [team, 'POST', '/jobs/submit', 'SERVER_PLUGINS_REFUSED'],
    [team, 'GET', '/jobs/query', 'SERVER_PLUGINS_REFUSED'],
    [team, 'GET', '/api/providers', 'SERVER_PLUGINS_REFUSED'],
    [team, 'POST', '/api/plugins/disk-images/profile', 'SERVER_SCOPE_REFUSED'],
    [team, 'POST', '/api/plugins/libvirt/disable', 'SERVER_PLUGIN_UNKNOWN'],
    ['nonsense', 'GET', '/status', 'SERVER_TOKEN_REFUSED'],
  ]
  for (const [token, method, path, code] of refused) assert.equal((await send(token, method, path)).code, code, path)
  const foreign = await send(reader, 'GET', '/nothing', { origin: 'https://console.example' })
  assert.equal(foreign.headers['access-control-allow-origin'], 'https://console.example')
  assert.equal((await send(reader, 'GET', '/status', { origin: 'https://evil.example' })).status, 403)

  assert.equal(await daemon.stop(), 0)
  assert.ok(!daemon.output.includes(reader) && !daemon.output.includes(team))
  daemon = await Hypervisord.start(places)
  assert.equal((await send(reader, 'GET', '/status')).status, 200)
  assert.equal((await daemon.send('DELETE', '/api/tokens/reader')).status, 204)
  assert.equal((await send(reader, 'GET', '/status')).code, 'SERVER_TOKEN_REFUSED')
})
