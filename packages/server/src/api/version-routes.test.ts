import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kernelErrors, type KernelEvent } from '@backplane/kernel'
import { demoKernel, echoPlugin } from '../fixtures/demo-kernel.ts'
import { startServer, type Answered, type StartedServer } from '../fixtures/start-server.ts'
import { watchedKernel } from '../fixtures/watched-kernel.ts'
import { WhyView } from './inspection-definitions.ts'
import { PluginDetail } from './plugin-view.ts'
import { HistoryView } from './version-definitions.ts'

const serverOver = (...[t, kernel]: Parameters<typeof startServer>): Promise<StartedServer> =>
  startServer(t, kernel, { api: { catalogues: [kernelErrors] } })

const post = (server: StartedServer, path: string, body?: object): Promise<Answered> =>
  server.tcp(`/api/plugins/one/${path}`, {
    method: 'POST',
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

test('a plugin goes back to the version before, with a history that says so, and stays there', async (t) => {
  const demo = await demoKernel(t)
  const server = await serverOver(t, demo.kernel)
  demo.source.put(echoPlugin('demo/one', { version: '2.0.0' }))
  await demo.kernel.plugins.refresh()
  assert.equal((await server.tcp('/api/plugins/one')).as(PluginDetail).version, '2.0.0')
  const back = await post(server, 'rollback')
  assert.deepEqual([back.status, back.as(PluginDetail).version], [200, '1.0.0'])
  const { held } = back.as(PluginDetail)
  assert.deepEqual([held?.why, held?.against.version], ['rolled back', '2.0.0'])
  assert.notEqual(back.headers.etag, undefined)
  const { entries } = (await server.tcp('/api/plugins/demo/one/history')).as(HistoryView)
  assert.deepEqual(
    entries.map((one) => [one.version, one.outcome, one.to === null]),
    [
      ['1.0.0', 'serving', true],
      ['2.0.0', 'rolled back', false],
      ['1.0.0', 'replaced', false],
    ],
  )
  const unknown = await post(server, 'rollback', { to: '7.0.0' })
  assert.deepEqual([unknown.status >= 400, unknown.problem.code], [true, 'VERSION_UNKNOWN'])
  assert.equal((await post(server, 'rollback', { too: '1.0.0' })).problem.code, 'SERVER_REQUEST_INVALID')
})

test('a rollback to what cannot start is an error that says why, and what served goes on', async (t) => {
  const demo = await demoKernel(t)
  const server = await serverOver(t, demo.kernel)
  let works = true
  const first = echoPlugin('demo/one', { version: '2.0.0' })
  demo.source.put({
    ...first,
    setup: (scope) => {
      if (!works) throw new Error('no licence any more')
      return first.setup?.(scope)
    },
  })
  await demo.kernel.plugins.refresh()
  demo.source.put(echoPlugin('demo/one', { version: '3.0.0' }))
  await demo.kernel.plugins.refresh()
  works = false
  const answer = await post(server, 'rollback')
  assert.deepEqual([answer.status, answer.problem.code], [409, 'SERVER_ROLLBACK_FAILED'])
  assert.match(answer.problem.detail, /no licence any more\. Version 3\.0\.0 goes on serving/)
})

test('a pinned plugin ignores newer versions until the pin is taken off', async (t) => {
  const demo = await demoKernel(t)
  const server = await serverOver(t, demo.kernel)
  const pinned = await post(server, 'pin', {})
  assert.deepEqual([pinned.status, pinned.as(PluginDetail).pinned], [200, '1.0.0'])
  demo.source.put(echoPlugin('demo/one', { version: '2.0.0' }))
  await demo.kernel.plugins.refresh()
  assert.equal(demo.kernel.plugins.get('demo/one')?.version, '1.0.0')
  assert.equal((await post(server, 'rollback')).problem.code, 'VERSION_PINNED')
  const free = await post(server, 'unpin')
  assert.deepEqual([free.as(PluginDetail).pinned, free.as(PluginDetail).version], [null, '2.0.0'])
  assert.equal((await post(server, 'pin', { version: '9.0.0' })).problem.code, 'VERSION_GONE')
})

test('a plugin in quarantine is released; one that is not, is told so', async (t) => {
  const watched = await watchedKernel(t)
  const server = await serverOver(t, watched.kernel)
  const not = await post(server, 'release')
  assert.deepEqual([not.status, not.problem.code], [409, 'PLUGIN_NOT_QUARANTINED'])
  const isQuarantined = (event: KernelEvent): boolean => event.type === 'plugin.changed' && event.to === 'quarantined'
  for (let time = 0; time < 9 && !watched.events().some(isQuarantined); time += 1) {
    await watched.kernel.plugins.start('demo/one')
    watched.runtime.crash('demo/one')
    await watched.clock.advance(1)
  }
  assert.equal((await server.tcp('/api/plugins/one')).as(PluginDetail).state, 'quarantined')
  const why = (await server.tcp('/api/plugins/one/why')).as(WhyView).findings[0]
  assert.deepEqual([why?.weight, why?.what], ['fault', 'demo/one is in quarantine and takes no calls.'])
  assert.ok(why?.evidence.some(({ text }) => /killed by SIGKILL/.test(text)))
  const released = await post(server, 'release')
  assert.deepEqual([released.status, released.as(PluginDetail).state], [200, 'stopped'])
})
