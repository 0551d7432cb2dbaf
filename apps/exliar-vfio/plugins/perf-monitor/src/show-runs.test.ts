import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command, panel, postVmShutdown, preVmStart, uiEvent } from '@exliar-vfio/points'
import { openPlugin, sampleVmConfig, sampleVmStats } from '@exliar-vfio/points/testing'
import { settings, summaryOf, used, watching } from './fixtures/watching.ts'
import plugin from './index.ts'
import type { RunSummary } from './perf-stats.ts'

test('the panel draws what a running machine uses, and past runs with a way to forget them', async (t) => {
  const { opened, pass } = await watching(t, [used(10, 2048, 5), used(150, 20_000, 7)])
  const { render } = opened.provider(panel, 'performance')
  assert.deepEqual(
    (await render(null)).items.map(({ kind }) => kind),
    ['text', 'heading', 'text'],
  )
  await opened.handle(preVmStart, 'begin', sampleVmConfig())
  await pass(2)
  const { items } = await render(null)
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ['heading', 'gauge', 'gauge', 'gauge', 'chart', 'heading', 'text'],
  )
  assert.deepEqual(
    items.flatMap((item) => (item.kind === 'gauge' ? [[item.label, item.value, item.most]] : [])),
    [
      ['CPU', 100, 100],
      ['GPU', 7, 100],
      ['Memory', 20_000, 20_000],
    ],
  )
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    (await render(null)).items.map(({ kind }) => kind),
    ['text', 'heading', 'table', 'action'],
  )
  const clear = { kind: 'action' as const, action: 'clear' }
  await opened.handle(uiEvent, 'performance', { ...clear, panel: 'other/plugin/performance' })
  assert.equal(summaryOf(opened).length, 1)
  await opened.handle(uiEvent, 'performance', { ...clear, panel: 'exliar/perf-monitor/performance' })
  assert.equal(summaryOf(opened).length, 0)
})

test('another process shows what the one that watches has written down, from its first look on, until it is old', async (t) => {
  const first = await watching(t, [used(30, 1000), used(90, 1000)])
  await first.opened.handle(preVmStart, 'begin', sampleVmConfig())
  await first.pass(2)
  const second = await openPlugin(plugin, {
    config: settings,
    services: { 'exliar.metrics': {} },
    state: first.opened.state,
  })
  const { run } = second.provider(command, 'perf')
  assert.match(
    (await run({ args: [] })).text,
    /^win11 is watched since 2026-11-21T10:00:00\.000Z: GPU unknown, CPU 30%, memory 1000MB/,
  )
  t.mock.timers.tick(6 * 60_000)
  assert.deepEqual((await run({ args: [] })).data, { running: [], runs: [] })
  // It was never told of the start, and sums up what the other one saw.
  await second.handle(postVmShutdown, 'summarise', sampleVmStats())
  assert.deepEqual(
    summaryOf(second).map((each) => [each.avg_cpu_usage, each.samples]),
    [[30, 1]],
  )
})

test('the command lists runs for people and for programs, of all machines or of one', async (t) => {
  const { opened } = await watching(t, [])
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats())
  await opened.handle(postVmShutdown, 'summarise', sampleVmStats({ name: 'arch', uuid: 'b', ended_at: '2026-11-21T12:00:00Z' }))
  const { run } = opened.provider(command, 'perf')
  assert.deepEqual((await run({ args: [] })).text.split('\n'), [
    'MACHINE  ENDED                 RUNTIME  AVG GPU  AVG CPU  MAX MEMORY',
    'arch     2026-11-21T12:00:00Z  3600s    unknown  unknown  unknown',
    'win11    2026-11-21T11:00:00Z  3600s    unknown  unknown  unknown',
  ])
  const { data } = await run({ args: ['arch'] })
  assert.deepEqual(
    Object(data).runs.map(({ machine }: RunSummary) => machine),
    ['arch'],
  )
  for (const args of [['--all'], ['a', 'b']]) await assert.rejects(run({ args }), { code: 'PERF_ARGUMENT_UNKNOWN' })
})
