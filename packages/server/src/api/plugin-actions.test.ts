import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testKernel } from '@backplane/testing'
import { demoKernel, echo, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { PluginDetail } from './plugin-view.ts'
import { PluginStats } from './routes.ts'

test('enable, disable, reload and remove do what they say', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const headers = { 'content-type': 'application/json' }
  const disabled = await server.tcp('/api/plugins/one/disable', { method: 'POST', headers, body: '{"reason":"too slow"}' })
  assert.deepEqual([disabled.as(PluginDetail).status, disabled.as(PluginDetail).reason], ['disabled', 'too slow'])
  assert.equal((await server.tcp('/api/plugins/one/enable', { method: 'POST' })).as(PluginDetail).status, 'loaded')
  assert.equal((await server.tcp('/api/plugins/off/enable', { method: 'POST' })).as(PluginDetail).status, 'loaded')
  const reloaded = (await server.tcp('/api/plugins/one/reload', { method: 'POST' })).as(PluginDetail)
  assert.deepEqual([reloaded.state, reloaded.generation], ['active', 2])
  assert.equal((await server.tcp('/api/plugins/one', { method: 'DELETE' })).status, 204)
  assert.equal((await server.tcp('/api/plugins/one')).status, 404)
  const odd = await server.tcp('/api/plugins/two/disable', { method: 'POST', headers, body: '{"raeson":1}' })
  assert.deepEqual([odd.status, odd.problem.code], [400, 'SERVER_REQUEST_INVALID'])
  assert.equal((await server.tcp('/api/plugins/two/explode', { method: 'POST' })).status, 405)
  assert.equal(kernel.plugins.get('demo/two')?.state.name, 'idle')
})

test('whoever sets a state may say so with PUT: with an ETag, later, and by a token that may', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const put = (path: string, headers: Readonly<Record<string, string>> = {}): ReturnType<typeof server.tcp> =>
    server.tcp(`/api/plugins/${path}`, { method: 'PUT', headers })
  assert.equal((await put('demo/one/disable')).as(PluginDetail).status, 'disabled')
  assert.equal((await put('one/disable')).as(PluginDetail).status, 'disabled')
  assert.equal((await put('one/enable', { 'if-match': '"old"' })).status, 412)
  assert.equal((await put('one/enable', { prefer: 'respond-async' })).status, 202)
  assert.equal((await put('demo%2Fone/enable')).as(PluginDetail).status, 'loaded')
  assert.equal((await put('one/reload')).problem.code, 'SERVER_METHOD_REFUSED')
  assert.equal((await put('reload')).status, 405)
})

test('what ships with the host is switched off and not uninstalled, and counted by itself', async (t) => {
  const demo = await testKernel({ points: [echo], plugins: [echoPlugin('demo/one')] })
  t.after(() => demo[Symbol.asyncDispose]())
  const server = await startServer(t, demo.kernel)
  for (const query of ['', '?deleteFiles=true', '?force=true']) {
    const answer = await server.tcp(`/api/plugins/one${query}`, { method: 'DELETE' })
    assert.deepEqual([answer.status, answer.problem.code], [400, 'SERVER_PLUGIN_BUILT_IN'])
  }
  assert.equal(demo.kernel.plugins.get('demo/one')?.state.name, 'idle')
  assert.equal((await server.tcp('/api/plugins/stats')).as(PluginStats).built_in_count, 1)
})

test('what used a plugin is named when it is disabled, and the plugin stays listed', async (t) => {
  const { kernel } = await demoKernel(t)
  const users = ({ id }: { readonly id: string }): readonly string[] => (id === 'demo/one' ? ['provider home'] : [])
  const server = await startServer(t, kernel, { api: { users } })
  const disable = (name: string): ReturnType<typeof server.tcp> => server.tcp(`/api/plugins/${name}/disable`, { method: 'POST' })
  assert.deepEqual(Reflect.get(Object((await disable('one')).json), 'users'), ['provider home'])
  assert.deepEqual(Reflect.get(Object((await disable('two')).json), 'users'), [])
  assert.equal((await server.tcp('/api/plugins/one')).as(PluginDetail).status, 'disabled')
})

test('a change of what has changed meanwhile is refused by its ETag', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const read = await server.tcp('/api/plugins/one')
  const etag = String(read.headers.etag)
  assert.equal(etag, `"${read.as(PluginDetail).state_version}"`)
  const change = (verb: string, tag: string): ReturnType<typeof server.tcp> =>
    server.tcp(`/api/plugins/one/${verb}`, { method: 'POST', headers: { 'if-match': tag } })
  const both = await Promise.all([change('reload', etag), change('reload', etag)])
  assert.deepEqual(
    both.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 412],
  )
  assert.equal(both.find(({ status }) => status === 412)?.problem.code, 'SERVER_STATE_CHANGED')
  assert.equal(kernel.plugins.get('demo/one')?.generation, 2)
  const now = String(both.find(({ status }) => status === 200)?.headers.etag)
  assert.equal((await change('reload', `"old", ${now}`)).status, 200)
  assert.equal((await change('reload', '*')).status, 200)
  assert.equal(kernel.plugins.get('demo/one')?.generation, 4)
})

test('a repeated POST with one Idempotency-Key is done once', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, kernel)
  const send = (path: string): ReturnType<typeof server.tcp> =>
    server.tcp(path, { method: 'POST', headers: { 'idempotency-key': 'a-key' } })
  assert.equal((await send('/api/plugins/one/reload')).status, 200)
  assert.equal((await send('/api/plugins/one/reload')).headers['idempotency-replayed'], 'true')
  assert.equal(kernel.plugins.get('demo/one')?.generation, 2)
  assert.equal((await send('/api/plugins/two/reload')).problem.code, 'SERVER_IDEMPOTENCY_MISMATCH')
})

test('a reload that left the old version serving is an error that says why', async (t) => {
  const demo = await demoKernel(t)
  const server = await startServer(t, demo.kernel)
  demo.source.put({
    manifest: { id: 'demo/one', version: '2.0.0', contributes: { 'demo.echo': { 'one-echo': {} } } },
    setup: () => {
      throw new Error('no licence for two')
    },
  })
  const answer = await server.tcp('/api/plugins/one/reload', { method: 'POST' })
  assert.deepEqual([answer.status, answer.problem.code, answer.problem.plugin], [409, 'SERVER_RELOAD_FAILED', 'demo/one'])
  assert.match(answer.problem.detail, /no licence for two\. Version 1\.0\.0 goes on serving/)
  const after = (await server.tcp('/api/plugins/one')).as(PluginDetail)
  assert.deepEqual(
    [after.status, after.version, after.generation],
    ['loaded', '1.0.0', 1],
    'the one that serves, not the one that failed',
  )
  assert.deepEqual([after.update?.version, after.update?.failure.message], ['2.0.0', 'no licence for two'])
})

test('looks at the sources wait for each other, and only so many wait', async (t) => {
  const { kernel } = await demoKernel(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  const refresh = async (): ReturnType<typeof kernel.plugins.refresh> => {
    running += 1
    most = Math.max(most, running)
    await promise
    running -= 1
    return { added: [], updated: [], removed: [], unchanged: 0, failed: [] }
  }
  const server = await startServer(t, { ...kernel, plugins: { ...kernel.plugins, refresh } })
  const prefer = { prefer: 'respond-async' }
  for (let count = 0; count < 16; count++) await server.tcp('/api/plugins/reload', { method: 'POST', headers: prefer })
  const full = await server.tcp('/api/plugins/reload', { method: 'POST' })
  assert.deepEqual([full.status, full.problem.code], [429, 'SERVER_PLUGIN_BUSY'])
  resolve()
  assert.equal((await server.tcp('/api/plugins/one/reload', { method: 'POST' })).status, 200)
  assert.equal(most, 1)
})
