import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineErrors, PlatformError } from '@backplane/sdk'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { openapiDocument } from './openapi.ts'
import { PluginDetail } from './plugin-view.ts'
import { Health, PluginList, PluginSearch, PluginStats, RefreshView } from './routes.ts'

test('the listing says name, version, type, status, loaded_at and path, and why a plugin is not there', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const json = (await server.tcp('/api/plugins')).as(PluginList)
  assert.equal(json.count, 4)
  const byName = new Map(json.plugins.map((plugin) => [plugin.name, plugin]))
  const one = byName.get('one')
  assert.ok(one)
  const { name, id, version, type, status, loaded_at, path, state, reason, generation } = one
  assert.deepEqual(
    { name, id, version, type, status, loaded_at, path, state, reason, generation },
    {
      name: 'one',
      id: 'demo/one',
      version: '1.0.0',
      type: 'one-echo',
      status: 'loaded',
      loaded_at: '2026-01-01T00:00:00.000Z',
      path: '/inline/demo/one',
      state: 'active',
      reason: null,
      generation: 1,
    },
  )
  const statuses = [...byName.values()].map((each) => [each.name, each.status, each.state, each.reason, each.loaded_at === null])
  assert.deepEqual(statuses, [
    ['broken', 'failed', 'failed', 'no licence', true],
    ['off', 'disabled', 'disabled', 'too loud', true],
    ['one', 'loaded', 'active', null, false],
    ['two', 'loaded', 'idle', null, false],
  ])
  const failure = { stage: 'start', code: 'DEMO_NO_LICENCE', message: 'no licence', hint: 'Buy one.' }
  assert.deepEqual(byName.get('broken')?.failure, failure)
  const stats = (await server.tcp('/api/plugins/stats')).json
  const byStatus = { loaded: 2, failed: 1, disabled: 1, unloaded: 0 }
  assert.deepEqual(stats, {
    total: 4,
    ...byStatus,
    enabled: 3,
    built_in_count: 0,
    namespace_count: 1,
    by_type: { 'broken-echo': 1, 'off-echo': 1, 'one-echo': 1, 'two-echo': 1 },
    by_status: byStatus,
    resources: { memory_bytes: 0, cpu_percent: 0, processes: 0 },
  })
})

test('a package that cannot be read is listed with its path and the reason', async (t) => {
  const demo = await demoKernel(t)
  demo.source.putProblem({
    path: '/plugins/half',
    error: { code: 'SOURCE_UNREADABLE', message: 'it ends too early', retryable: false },
  })
  const server = await startServer(t, demo.kernel)
  const report = (await server.tcp('/api/plugins/reload', { method: 'POST' })).as(RefreshView)
  assert.deepEqual(report.added, ['/plugins/half'])
  const failed = report.failed.map((one) => [one.id, one.reason])
  assert.deepEqual(failed, [
    ['demo/broken', 'no licence'],
    ['/plugins/half', 'it ends too early'],
  ])
  const [half] = (await server.tcp('/api/plugins')).as(PluginList).plugins
  assert.ok(half)
  assert.deepEqual([half.name, half.status, half.path, half.type], ['half', 'failed', '/plugins/half', null])
  for (const id of [half.id, half.name]) {
    const answer = await server.tcp(`/api/plugins/${encodeURIComponent(id)}`)
    assert.deepEqual(
      [answer.status, answer.as(PluginDetail).failure?.message],
      [200, 'it ends too early'],
      'what is listed can be asked for',
    )
  }
})

test('a long listing comes in pages', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const first = (await server.tcp('/api/plugins?limit=2')).as(PluginList)
  assert.deepEqual([first.plugins.length, first.count, first.next], [2, 4, 'demo/off'])
  const rest = (await server.tcp(`/api/plugins?limit=9&after=${encodeURIComponent(String(first.next))}`)).as(PluginList)
  assert.deepEqual([rest.plugins.map((one) => one.name), rest.next], [['one', 'two'], null])
  const wrong = await server.tcp('/api/plugins?limit=0')
  assert.deepEqual([wrong.status, wrong.problem.code], [400, 'SERVER_REQUEST_INVALID'])
  assert.match(wrong.problem.detail, /limit/)
})

test('an id is a bare name or publisher/name, with its slash as it is or escaped', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  for (const id of ['one', 'demo/one', 'demo%2Fone', 'demo%2fone']) {
    const answer = await server.tcp(`/api/plugins/${id}`)
    assert.deepEqual([answer.status, answer.as(PluginDetail).id], [200, 'demo/one'], id)
    const reloaded = await server.tcp(`/api/plugins/${id}/reload`, { method: 'POST' })
    assert.deepEqual([reloaded.status, reloaded.as(PluginDetail).id], [200, 'demo/one'], id)
  }
  const missing = await server.tcp('/api/plugins/onne')
  assert.deepEqual([missing.status, missing.problem.code], [404, 'SERVER_PLUGIN_UNKNOWN'])
  assert.match(missing.problem.detail, /did you mean `demo\/one`/)
})

test('a bare name that two plugins have names neither', async (t) => {
  const { kernel } = await demoKernel(t, echoPlugin('other/one', { contributes: {} }))
  const server = await startServer(t, kernel)
  const answer = await server.tcp('/api/plugins/one/disable', { method: 'POST' })
  assert.deepEqual([answer.status, answer.problem.code], [409, 'SERVER_ID_AMBIGUOUS'])
  assert.match(answer.problem.detail, /demo\/one, other\/one/)
  assert.equal(kernel.plugins.get('demo/one')?.state.name, 'active')
})

test('a plugin called like a fixed route never hides it and is reached by its full id', async (t) => {
  const names = ['search', 'stats', 'reload']
  const { kernel } = await demoKernel(t, ...names.map((name) => echoPlugin(`demo/${name}`)))
  const server = await startServer(t, kernel)
  assert.equal((await server.tcp('/api/plugins/stats')).as(PluginStats).total, 7)
  assert.equal((await server.tcp('/api/plugins/search?q=stats')).as(PluginSearch).query, 'stats')
  assert.equal((await server.tcp('/api/plugins/reload', { method: 'POST' })).as(RefreshView).unchanged, 7)
  for (const name of names) {
    assert.equal((await server.tcp(`/api/plugins/demo/${name}`)).as(PluginDetail).id, `demo/${name}`)
    assert.equal((await server.tcp(`/api/plugins/demo/${name}/reload`, { method: 'POST' })).as(PluginDetail).state, 'active')
    assert.equal((await server.tcp(`/api/plugins/demo/${name}/disable`, { method: 'POST' })).as(PluginDetail).state, 'disabled')
    const bare = await server.tcp(`/api/plugins/${name}`, { method: 'DELETE' })
    assert.deepEqual([bare.status, bare.problem.code], [404, 'SERVER_ID_RESERVED'])
    assert.equal((await server.tcp(`/api/plugins/demo%2F${name}`, { method: 'DELETE' })).status, 204)
    assert.equal(kernel.plugins.get(`demo/${name}`), undefined)
  }
})

test('search finds by name, tag, type and description, best first', async (t) => {
  const other = echoPlugin('other/cloud-thing', { description: 'Says one thing', tags: ['remote'] })
  const server = await startServer(t, (await demoKernel(t, other)).kernel)
  const found = async (query: string): Promise<string[]> => {
    const json = (await server.tcp(`/api/plugins/search?q=${encodeURIComponent(query)}`)).as(PluginSearch)
    assert.equal(json.count, json.plugins.length)
    return json.plugins.map((each) => each.name)
  }
  assert.deepEqual(await found('ONE'), ['one', 'cloud-thing'])
  assert.deepEqual(await found('remote thing'), ['cloud-thing'])
  assert.deepEqual(await found('two-echo'), ['two'])
  assert.deepEqual(await found('remote nothing'), [])
  assert.deepEqual(await found(''), [])
  const { code, detail } = (await server.tcp('/api/plugins/search')).problem
  assert.deepEqual(
    [code, detail],
    ['SERVER_REQUEST_INVALID', 'The request does not fit: query: one of q, type and tags is needed.'],
  )
})

test('errors of the kernel keep their code and get the status of their catalogue', async (t) => {
  const { kernel } = await demoKernel(t)
  const catalogue = defineErrors('PLUGIN', {
    PLUGIN_BUSY: { message: 'busy', status: 409, exit: 75, retryable: true, hint: 'Wait.' },
  })
  const thrown: Error[] = [
    catalogue.error('PLUGIN_BUSY', {}, { details: { calls: 3 } }),
    new PlatformError('ELSEWHERE_UNKNOWN', 'odd', { details: { path: '/secret' } }),
  ]
  const enable = async (): Promise<never> => {
    throw thrown.shift() ?? new Error('no more')
  }
  const throwing = { ...kernel, plugins: { ...kernel.plugins, enable } }
  const server = await startServer(t, throwing, { api: { catalogues: [catalogue] } })
  const send = (): ReturnType<typeof server.tcp> => server.tcp('/api/plugins/one/enable', { method: 'POST' })
  const busy = await send()
  assert.equal(busy.headers['content-type'], 'application/problem+json')
  assert.deepEqual(busy.json, {
    type: 'https://backplane.dev/errors/PLUGIN_BUSY',
    title: 'Conflict',
    status: 409,
    detail: 'busy',
    code: 'PLUGIN_BUSY',
    hint: 'Wait.',
    retryable: true,
    exit: 75,
    details: { calls: 3 },
  })
  const odd = await send()
  assert.deepEqual([odd.status, odd.problem.code, odd.problem.details], [500, 'ELSEWHERE_UNKNOWN', undefined])
  assert.deepEqual([(await send()).problem.code, server.log.length], ['SERVER_INTERNAL', 1])
})

test('nothing at a path is 404, another method 405 with what is offered', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const nothing = await server.tcp('/api/nothing')
  assert.deepEqual([nothing.status, nothing.problem.code], [404, 'SERVER_ROUTE_UNKNOWN'])
  const posted = await server.tcp('/api/plugins', { method: 'POST' })
  assert.deepEqual([posted.status, posted.problem.code, posted.headers.allow], [405, 'SERVER_METHOD_REFUSED', 'GET'])
  const read = await server.tcp('/api/plugins/reload')
  assert.deepEqual([read.status, read.problem.code], [404, 'SERVER_ID_RESERVED'])
})

test('ready means that no required plugin is missing and the host agrees', async (t) => {
  const { kernel } = await demoKernel(t, echoPlugin('demo/needed', { criticality: 'required' }))
  const reasons: string[] = []
  const server = await startServer(t, kernel, { api: { notReady: () => reasons } })
  assert.deepEqual((await server.bare('/healthz')).json, { status: 'ok', reasons: [] })
  assert.deepEqual((await server.bare('/readyz')).json, { status: 'ready', reasons: [] })
  reasons.push('the database is full')
  await kernel.plugins.disable('demo/needed')
  const answer = await server.bare('/readyz')
  const expected = ['required plugin demo/needed is disabled', 'the database is full']
  assert.deepEqual([answer.status, answer.as(Health).reasons], [503, expected])
})

test('the document is OpenAPI 3.1, names every route and is what is served', async (t) => {
  const server = await startServer(t, (await demoKernel(t)).kernel)
  const document = openapiDocument()
  assert.equal(document.openapi, '3.1.0')
  assert.deepEqual(Object.keys(document.paths ?? {}), [
    '/api/plugins',
    '/api/plugins/search',
    '/api/plugins/stats',
    '/api/plugins/builtin',
    '/api/plugins/{id}/status',
    '/api/plugins/reload',
    '/api/plugins/{id}',
    '/api/plugins/{id}/reload',
    '/api/plugins/{id}/enable',
    '/api/plugins/{id}/disable',
    '/api/plugins/{id}/history',
    '/api/plugins/{id}/rollback',
    '/api/plugins/{id}/pin',
    '/api/plugins/{id}/unpin',
    '/api/plugins/{id}/release',
    '/api/system',
    '/api/top',
    '/api/plugins/{id}/usage',
    '/api/plugins/{id}/why',
    '/api/plugins/{id}/profile',
    '/api/operations',
    '/api/operations/{id}',
    '/api/operations/{id}/events',
    '/api/tokens',
    '/api/tokens/{name}',
    '/api/audit',
    '/api/audit/verify',
    '/api/approvals',
    '/api/approvals/{id}',
    '/api/approvals/{id}/approve',
    '/api/approvals/{id}/deny',
    '/api/plugins/plan',
    '/api/plugins/apply',
    '/api/plugins/install',
    '/api/plugins/upload',
    '/api/plugins/{id}/update',
    '/api/plugins/outdated',
    '/api/packages/search',
    '/api/lock',
    '/api/lock/verify',
    '/api/lock/restore',
    '/api/lock/bundle',
    '/api/lock/bundles/{digest}',
    '/api/store/gc',
    '/api/store/findings',
    '/api/store/repair',
    '/api/plugins/{id}/permissions',
    '/api/plugins/{id}/approve',
    '/api/plugins/{id}/revoke',
    '/api/plugins/{id}/withhold',
    '/api/grants',
    '/api/trust',
    '/api/plugins/{id}/verdict',
    '/api/events',
    '/healthz',
    '/readyz',
    '/metrics',
  ])
  assert.deepEqual((await server.tcp('/openapi.json')).json, JSON.parse(JSON.stringify(document)))
})
