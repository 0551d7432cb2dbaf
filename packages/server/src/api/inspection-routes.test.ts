import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { demoKernel, echo, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { watchedKernel } from '../fixtures/watched-kernel.ts'
import { managementApi } from './management-api.ts'
import { PluginUsageView, SystemView, TopView, WhyView } from './inspection-definitions.ts'
import { PluginDetail } from './plugin-view.ts'
import { HistoryView } from './version-definitions.ts'

test('the system is what the host found, and nothing where the host does not say', async (t) => {
  const { kernel } = await demoKernel(t)
  const layer = { layer: 'sandbox', available: false, mechanism: 'bubblewrap', detail: 'Shows nothing of the machine.' }
  const found = { sandbox: false, layers: [{ ...layer, missing: 'bwrap is missing', install: 'apt-get install bubblewrap' }] }
  const server = await startServer(t, kernel, { api: { system: () => found } })
  const json = (await server.tcp('/api/system')).as(SystemView)
  assert.deepEqual([json.host, json.node, json.sandbox], [{ name: 'test-host', api: '1.0.0' }, process.version, false])
  assert.deepEqual(json.layers, found.layers)
  const silent = await startServer(t, kernel)
  const nothing = (await silent.tcp('/api/system')).as(SystemView)
  assert.deepEqual([json.problems, nothing.problems], [[], []])
  assert.deepEqual([nothing.sandbox, nothing.layers], [null, []])
  assert.equal((await silent.bare('/api/system')).status, 401)
})

test('usage is the newest sample and the limits; what does not run has none', async (t) => {
  const { kernel, runtime, clock } = await watchedKernel(t)
  const server = await startServer(t, kernel)
  runtime.use('demo/one', { cpuMs: 100, memoryBytes: 50 * 1024 ** 2, stallMs: 12 })
  await clock.advance(1_000)
  runtime.use('demo/one', { cpuMs: 350 })
  await clock.advance(1_000)
  const json = (await server.tcp('/api/plugins/one/usage')).as(PluginUsageView)
  const { usage, limits } = json
  assert.deepEqual([json.plugin, json.state, json.tier, json.denials], ['demo/one', 'active', 'contained', 0])
  assert.deepEqual(
    [usage?.cpu_percent, usage?.cpu_ms, usage?.memory_bytes, usage?.stall_ms, usage?.open_files],
    [25, 350, 50 * 1024 ** 2, 12, null],
  )
  assert.deepEqual([limits?.['memory_mib'], limits?.['cpu_percent']], [256, 100])
  await kernel.plugins.disable('demo/two')
  const off = (await server.tcp('/api/plugins/demo/two/usage')).as(PluginUsageView)
  assert.deepEqual([off.usage, off.state, off.tier], [null, 'disabled', null])
  assert.equal((await server.tcp('/api/plugins/ome/usage')).problem.code, 'SERVER_PLUGIN_UNKNOWN')
})

test('top lists what runs, with calls a second since somebody looked before', async (t) => {
  const { kernel, runtime, clock } = await watchedKernel(t)
  const server = await startServer(t, kernel)
  const first = (await server.tcp('/api/top')).as(TopView)
  assert.deepEqual(
    first.plugins.map((row) => [row.id, row.calls_per_second]),
    [
      ['demo/one', null],
      ['demo/two', null],
    ],
  )
  assert.equal(first.over_ms, null)
  runtime.use('demo/one', { cpuMs: 10, heapBytes: 4096, processes: 1, openFiles: 20 })
  await clock.advance(1_000)
  runtime.violate('demo/one', { kind: 'limit', limit: 'output', detail: 'wrote 9 of 8 MiB' })
  await kernel.provider(echo, 'one-echo').say('x')
  await kernel.plugins.disable('demo/two')
  // Looks nearer than half a second share their answer.
  let second = (await server.tcp('/api/top')).as(TopView)
  while (second.over_ms === null) second = (await server.tcp('/api/top')).as(TopView)
  const [one, ...others] = second.plugins
  assert.deepEqual(others, [])
  assert.deepEqual(
    [one?.state, one?.heap_bytes, one?.open_files, one?.calls, one?.errors, one?.violations],
    ['active', 4096, 20, 1, 0, 1],
  )
  const { calls_per_second: rate } = one ?? {}
  assert.ok(second.over_ms >= 500 && typeof rate === 'number' && rate > 0 && rate <= 2)
})

test('why gives findings with the events that show them', async (t) => {
  const { kernel, runtime, clock } = await watchedKernel(t)
  const server = await startServer(t, kernel)
  runtime.violate('demo/one', { kind: 'grant', permission: 'net:connect example.com:443', detail: 'connect refused' })
  await clock.advance(0)
  const json = (await server.tcp('/api/plugins/one/why')).as(WhyView)
  assert.deepEqual([json.plugin, json.state, json.findings[0]?.weight], ['demo/one', 'active', 'fine'])
  const denied = json.findings.find((one) => one.because.includes('net:connect example.com:443'))
  const [shown] = denied?.evidence ?? []
  const event = kernel.events.since(0).events.find(({ seq }) => seq === shown?.seq)?.event
  assert.equal(event?.type, 'grant.denied')
  assert.equal((await server.tcp('/api/plugins/ome/why')).status, 404)
})

test('a profile is the bytes as the plugin makes them, with a file name, and refused before it begins when it cannot', async (t) => {
  const { kernel } = await watchedKernel(t, async function* (kind, { durationMs }) {
    if (kind === 'heap') throw new PlatformError('RUNTIME_PROFILE_FAILED', 'it ended meanwhile')
    yield Buffer.from('{"nodes":')
    yield Buffer.from(`${durationMs}}`)
  })
  const server = await startServer(t, kernel)
  const post = (path: string): ReturnType<typeof server.tcp> =>
    server.tcp(path, { method: 'POST', headers: { 'idempotency-key': 'one' } })
  const answer = await post('/api/plugins/demo/one/profile?seconds=0.5')
  assert.deepEqual([answer.status, answer.text], [200, '{"nodes":500}'])
  assert.match(String(answer.headers['content-disposition']), /^attachment; filename="demo-one-\d+\.cpuprofile"$/)
  const again = await post('/api/plugins/demo/one/profile?seconds=0.5')
  assert.equal(again.headers['idempotency-replayed'], undefined, 'a file is never kept for a repetition')
  const failed = await server.tcp('/api/plugins/one/profile?kind=heap', { method: 'POST' })
  assert.deepEqual([failed.status, failed.problem.code], [500, 'RUNTIME_PROFILE_FAILED'])
  for (const query of ['kind=everything', 'seconds=0', 'seconds=61', 'seconds=x']) {
    const refused = await server.tcp(`/api/plugins/one/profile?${query}`, { method: 'POST' })
    assert.deepEqual([refused.status, refused.problem.code], [400, 'SERVER_REQUEST_INVALID'], query)
  }
  assert.equal((await server.tcp('/api/plugins/one/profile')).problem.code, 'SERVER_PLUGIN_UNKNOWN')
})

test('what shares the process of its host, or does not run, has no profile', async (t) => {
  const { kernel } = await demoKernel(t)
  const { kernelErrors } = await import('@backplane/kernel')
  const server = await startServer(t, kernel, { api: { catalogues: [kernelErrors] } })
  const codes: unknown[] = []
  for (const id of ['one', 'two']) {
    const { status, problem } = await server.tcp(`/api/plugins/${id}/profile`, { method: 'POST' })
    codes.push([status, problem.code])
  }
  assert.deepEqual(codes, [
    [409, 'PROFILE_SHARED'],
    [409, 'PROFILE_NOT_RUNNING'],
  ])
})

test('a client that goes ends the profile it asked for', async (t) => {
  const ended = Promise.withResolvers<void>()
  const { kernel } = await watchedKernel(t, async function* (_kind, { signal }) {
    signal.addEventListener('abort', () => ended.resolve())
    yield Buffer.from('begun')
    await ended.promise
    signal.throwIfAborted()
  })
  const { socket } = await startServer(t, kernel)
  const path = '/api/plugins/one/profile'
  const sent = request({ socketPath: socket, path, method: 'POST', headers: { host: 'localhost' }, agent: false }).end()
  sent.on('error', () => undefined)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  answer.on('error', () => undefined)
  await once(answer, 'data')
  sent.destroy()
  await ended.promise
})

test('no plugin hides a fixed route: one called like it is named by its whole id', async (t) => {
  const { kernel } = await demoKernel(t, echoPlugin('one/usage'), echoPlugin('two/why'), echoPlugin('demo/history'))
  const server = await startServer(t, kernel)
  assert.equal((await server.tcp('/api/plugins/one/usage')).as(PluginUsageView).plugin, 'demo/one')
  assert.equal((await server.tcp('/api/plugins/two/why')).as(WhyView).plugin, 'demo/two')
  assert.equal((await server.tcp('/api/plugins/one%2Fusage')).as(PluginDetail).id, 'one/usage')
  assert.equal((await server.tcp('/api/plugins/one/usage/usage')).as(PluginUsageView).plugin, 'one/usage')
  assert.equal((await server.tcp('/api/plugins/history')).as(PluginDetail).id, 'demo/history')
  assert.deepEqual((await server.tcp('/api/plugins/history/history')).as(HistoryView).plugin, 'demo/history')
  assert.equal((await server.tcp('/api/plugins/demo/one/explode')).problem.code, 'SERVER_ID_INVALID')
})

test('who asks why and leaves before the answer is no fault that is logged', async (t) => {
  const asked = Promise.withResolvers<void>()
  const admit = (): Promise<never> => (asked.resolve(), new Promise(() => undefined))
  const demo = await testKernel({ points: [echo], plugins: [echoPlugin('demo/one')], admission: { admit } })
  t.after(() => demo[Symbol.asyncDispose]())
  const lines: unknown[] = []
  const { fetch } = managementApi(demo.kernel, { log: { write: (line) => void lines.push(line) } })
  const leaving = new AbortController()
  const asking = new Request('http://localhost/api/plugins/one/why', { signal: leaving.signal })
  const { signal: closing } = new AbortController()
  const target = '/api/plugins/one/why'
  const answer = fetch(asking, { via: 'unix', secure: false, address: '', localPort: undefined, target, hosts: [], closing })
  await asked.promise
  leaving.abort()
  assert.deepEqual([(await answer).status, lines], [499, []])
})
