import assert from 'node:assert/strict'
import { test } from 'node:test'
import { panel, postVmShutdown, preVmStart, vmStarted } from '@exliar-vfio/points'
import { openPlugin, sampleVmConfig, sampleVmStats } from '@exliar-vfio/points/testing'
import { settings, summaryOf, used, watching } from './fixtures/watching.ts'
import plugin from './index.ts'

test('a run is summed up with its time, the averages and the most memory it held, and the configuration goes on unchanged', async (t) => {
  const { opened, asked, pass } = await watching(t, [used(null, 4096, 10), used(20, 16_384.4, 50), used(25, 8192, 61)])
  assert.equal(await opened.handle(preVmStart, 'begin', sampleVmConfig()), undefined)
  await pass(3)
  assert.deepEqual(asked, ['win11', 'win11', 'win11'])
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(summaryOf(opened), [
    {
      machine: 'win11',
      uuid: sampleVmStats().uuid,
      vm_start_time: '2026-11-21T10:00:00Z',
      vm_end_time: '2026-11-21T11:00:00Z',
      runtime_seconds: 3600,
      avg_gpu_usage: 40.3,
      avg_cpu_usage: 22.5,
      max_memory_mb: 16_384,
      samples: 3,
      ended_by: 'shutdown',
    },
  ])
  assert.ok(
    opened.lines.some(
      ({ level, message }) =>
        level === 'info' &&
        message === 'VM Performance: Runtime: 3600s, Avg GPU Usage: 40.3%, Avg CPU: 22.5%, Max Memory: 16384MB',
    ),
  )
  assert.equal([...opened.state.keys()].filter((key) => key.startsWith('now/')).length, 0)
  await pass(3)
  assert.equal(asked.length, 3)
})

test('what nobody could look at is said to be unknown, and is no zero', async (t) => {
  const { opened, pass } = await watching(t, [used(null, null)])
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(1)
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats({ started_at: null, runtime_seconds: null }))
  const unknown = 'VM Performance: Runtime: unknown, Avg GPU Usage: unknown, Avg CPU: unknown, Max Memory: unknown'
  assert.deepEqual(
    opened.lines.map(({ message }) => message),
    [unknown],
  )
})

test('the process that stays goes on where the one that was asked before the start has ended, and forgets nothing it saw', async (t) => {
  const { opened, asked, pass } = await watching(t, [used(10, 1), used(30, 1)])
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(1)
  await opened.handle(vmStarted, 'watch', sampleVmConfig())
  await pass(1)
  assert.equal(asked.length, 2)
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    summaryOf(opened).map((run) => [run.avg_cpu_usage, run.samples]),
    [[20, 2]],
  )

  const staying = await openPlugin(plugin, { config: settings, services: { 'exliar.metrics': { sample: () => used(40, 1) } } })
  t.after(() => staying[Symbol.asyncDispose]())
  await staying.handle(vmStarted, 'watch', sampleVmConfig())
  await pass(2)
  await staying.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    summaryOf(staying).map((run) => [run.avg_cpu_usage, run.samples]),
    [[40, 2]],
  )
})

test('a start begins anew, also when nobody was told how the run before ended', async (t) => {
  const { opened, asked, pass } = await watching(t, [used(90, 1), used(90, 1), used(10, 1), used(10, 1)])
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(2)
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(2)
  assert.equal(asked.length, 4)
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    summaryOf(opened).map((run) => run.avg_cpu_usage),
    [10],
  )
})

test('a machine that cannot be looked at starts all the same, and after two minutes is not asked about any more', async (t) => {
  const { opened, asked, pass } = await watching(t, [])
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(40)
  assert.equal(asked.length, 24)
  assert.equal(opened.lines.filter(({ level }) => level === 'warn').length, 1)
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats({ ended_by: 'failed' }))
  assert.deepEqual(
    summaryOf(opened).map((run) => [run.samples, run.ended_by]),
    [[0, 'failed']],
  )
})

test('more machines than it watches at once start all the same', async (t) => {
  const { opened } = await watching(t, [])
  for (let at = 0; at < 65; at += 1) await opened.handle(preVmStart, 'begin', sampleVmConfig({ uuid: `machine ${at}` }))
  assert.deepEqual(
    opened.lines.filter(({ level }) => level === 'warn').map(({ message }) => message),
    ['too many machines are watched already'],
  )
})

test('a name or uuid of any length does no harm', async (t) => {
  const { opened } = await watching(t, [])
  const config = sampleVmConfig({ uuid: 'x'.repeat(100_000), name: '\u001B[2J'.repeat(1_000) })
  assert.equal(await opened.handle(preVmStart, 'begin', config), undefined)
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats({ uuid: config.uuid, name: config.name }))
  assert.ok([...opened.state.keys()].every((key) => key.length < 256))
  assert.ok((await opened.provider(panel, 'performance').render(null)).items.length > 0)
})

test('only the newest runs are kept', async (t) => {
  const { opened } = await watching(t, [], { config: { ...settings, keep_runs: 2 } })
  for (const hour of [11, 12, 13]) {
    await opened.handle(postVmShutdown, 'summarise', sampleVmStats({ ended_at: `2026-11-21T${hour}:00:00Z` }))
  }
  assert.deepEqual(
    summaryOf(opened).map((run) => run.vm_end_time),
    ['2026-11-21T12:00:00Z', '2026-11-21T13:00:00Z'],
  )
})

test('the next version goes on with what this one saw', async (t) => {
  const { opened, pass } = await watching(t, [used(40, 1), used(40, 1)])
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(2)
  const next = await openPlugin(plugin, {
    config: settings,
    services: { 'exliar.metrics': { sample: () => used(10, 1) } },
  })
  await next.restore(await opened.snapshot())
  await opened[Symbol.asyncDispose]()
  await pass(2)
  await next.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    summaryOf(next).map((run) => [run.avg_cpu_usage, run.samples]),
    [[25, 4]],
  )
})

test('a store that takes nothing keeps no machine from starting', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const state = new Map<string, unknown>()
  const opened = await openPlugin(plugin, { config: settings, services: { 'exliar.metrics': {} }, state })
  t.after(() => opened[Symbol.asyncDispose]())
  t.mock.method(opened.state as Map<string, unknown>, 'set', () => assert.fail('the quota is used up'))
  assert.equal(await opened.handle(preVmStart, 'begin', sampleVmConfig()), undefined)
  assert.ok(opened.lines.some(({ message }) => message === 'what is seen of a machine cannot be kept'))
})
