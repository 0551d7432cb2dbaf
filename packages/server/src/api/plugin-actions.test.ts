import assert from 'node:assert/strict'
import { test } from 'node:test'
import { activeState, failure, samplePlugins } from '../fixtures/sample-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'

test('enable, disable, reload and remove do what they say', async (t) => {
  const sample = samplePlugins()
  const server = await startServer(t, sample.kernel)
  const headers = { 'content-type': 'application/json' }
  const disabled = await server.tcp('/api/plugins/one/disable', { method: 'POST', headers, body: '{"reason":"too loud"}' })
  assert.deepEqual([disabled.json.status, disabled.json.reason], ['disabled', 'too loud'])
  assert.equal((await server.tcp('/api/plugins/one/enable', { method: 'POST' })).json.status, 'loaded')
  assert.equal((await server.tcp('/api/plugins/one', { method: 'DELETE' })).status, 204)
  assert.equal((await server.tcp('/api/plugins/one')).status, 404)
  assert.deepEqual(sample.asked, ['disable demo/one', 'enable demo/one', 'remove demo/one'])
  const odd = await server.tcp('/api/plugins/two/disable', { method: 'POST', headers, body: '{"raeson":1}' })
  assert.deepEqual([odd.status, odd.json.code], [400, 'SERVER_REQUEST_INVALID'])
  assert.equal((await server.tcp('/api/plugins/two/explode', { method: 'POST' })).status, 405)
})

test('a change of what has changed meanwhile is refused by its ETag', async (t) => {
  const sample = samplePlugins()
  const server = await startServer(t, sample.kernel)
  const read = await server.tcp('/api/plugins/one')
  const etag = String(read.headers.etag)
  assert.equal(etag, `"${read.json.state_version}"`)
  const change = (verb: string, tag: string): ReturnType<typeof server.tcp> =>
    server.tcp(`/api/plugins/one/${verb}`, { method: 'POST', headers: { 'if-match': tag } })
  const both = await Promise.all([change('disable', etag), change('reload', etag)])
  assert.deepEqual(
    both.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 412],
  )
  assert.equal(both.find(({ status }) => status === 412)?.json.code, 'SERVER_STATE_CHANGED')
  assert.equal(sample.asked.length, 1)
  const now = String(both.find(({ status }) => status === 200)?.headers.etag)
  assert.equal((await change('enable', `"old", ${now}`)).status, 200)
  assert.equal((await change('enable', '*')).status, 200)
})

test('a repeated POST with one Idempotency-Key is done once', async (t) => {
  const sample = samplePlugins()
  const server = await startServer(t, sample.kernel)
  const send = (path: string): ReturnType<typeof server.tcp> =>
    server.tcp(path, { method: 'POST', headers: { 'idempotency-key': 'a-key' } })
  assert.equal((await send('/api/plugins/one/reload')).status, 200)
  assert.equal((await send('/api/plugins/one/reload')).headers['idempotency-replayed'], 'true')
  assert.deepEqual(sample.asked, ['reload demo/one'])
  assert.equal((await send('/api/plugins/two/reload')).json.code, 'SERVER_IDEMPOTENCY_MISMATCH')
})

test('a reload that left the old version serving is an error that says why', async (t) => {
  const sample = samplePlugins()
  const { kernel } = sample
  const plugins = {
    ...kernel.plugins,
    reload: async (id: string) => {
      sample.set(id, activeState(), { update: { version: '2.0.0', atMs: Date.UTC(2026, 1, 4), failure } })
      const record = kernel.plugins.get(id)
      assert.ok(record)
      return record
    },
  }
  const server = await startServer(t, { ...kernel, plugins })
  const answer = await server.tcp('/api/plugins/one/reload', { method: 'POST' })
  assert.deepEqual([answer.status, answer.json.code, answer.json.plugin], [409, 'SERVER_RELOAD_FAILED', 'demo/one'])
  assert.match(answer.json.detail, /no licence\. Version 1\.0\.0 goes on serving/)
  assert.equal(answer.json.hint, 'Buy one.')
  const { update } = (await server.tcp('/api/plugins/one')).json
  assert.deepEqual(update, { version: '2.0.0', at: '2026-02-04T00:00:00.000Z', failure })
})
