import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NetworkUse } from '@backplane/kernel'
import { demoKernel, echo } from '../fixtures/demo-kernel.ts'
import { startServer } from '../fixtures/start-server.ts'
import { watchedKernel } from '../fixtures/watched-kernel.ts'

/** Reads the text format as a scraper would; throws on a line that is none. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  assert.ok(text.endsWith('\n'))
  for (const line of text.slice(0, -1).split('\n')) {
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line)
    if (type?.[1] !== undefined) types.set(type[1], type[2] ?? '')
    if (line.startsWith('#')) continue
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[\d.e+-]+|NaN)$/.exec(line)
    assert.ok(sample, `not a sample: ${line}`)
    const name = sample[1] ?? ''
    assert.ok(types.has(name) || types.has(name.replace(/_(bucket|sum|count)$/, '')), `no type: ${line}`)
    const key = name + (sample[2] ?? '')
    assert.ok(!samples.has(key), `twice: ${line}`)
    samples.set(key, Number(sample[3]))
  }
  return samples
}

test('metrics are Prometheus text with counters, latency, generation and state per plugin', async (t) => {
  const { kernel, clock } = await demoKernel(t)
  const one = kernel.provider(echo, 'one-echo')
  await one.say('a')
  await clock.advance(1)
  await assert.rejects(one.say('fail'))
  const server = await startServer(t, kernel, { api: { metrics: () => '# TYPE jobs gauge\njobs 2\n' } })
  const answer = await server.tcp('/metrics')
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  const samples = parse(answer.text)
  const expected: [string, number][] = [
    ['backplane_info{host="test-host",api="1.0.0",node="' + process.versions.node + '"}', 1],
    ['backplane_plugin_info{plugin="demo/one",version="1.0.0",origin="external"}', 1],
    ['backplane_plugin_calls_total{plugin="demo/one"}', 2],
    ['backplane_plugin_errors_total{plugin="demo/one"}', 1],
    ['backplane_plugin_calls_active{plugin="demo/one"}', 0],
    ['backplane_plugin_calls_queued{plugin="demo/one"}', 0],
    ['backplane_plugin_generation{plugin="demo/one"}', 1],
    ['backplane_plugin_state{plugin="demo/one",state="active"}', 1],
    ['backplane_plugin_state{plugin="demo/broken",state="failed"}', 1],
    ['backplane_plugin_state{plugin="demo/one",state="failed"}', 0],
    ['backplane_plugin_call_duration_seconds_bucket{plugin="demo/one",le="+Inf"}', 2],
    ['backplane_plugin_call_duration_seconds_count{plugin="demo/one"}', 2],
    ['jobs', 2],
  ]
  for (const [key, value] of expected) assert.equal(samples.get(key), value, key)
  assert.ok((samples.get('process_resident_memory_bytes') ?? 0) > 0)
  checkBuckets(samples)
})

function checkBuckets(samples: ReadonlyMap<string, number>): void {
  const counts = [...samples].filter(([key]) => key.startsWith('backplane_plugin_call_duration_seconds_bucket{plugin="demo/one"'))
  assert.ok(counts.length > 3)
  for (const [index, [key, count]] of counts.entries()) assert.ok(count >= (counts[index - 1]?.[1] ?? 0), `${key} is cumulative`)
}

test('labels are escaped', async (t) => {
  const { kernel } = await demoKernel(t)
  const server = await startServer(t, { ...kernel, host: { name: 'a"b\\c\nd', api: '1.0.0' } })
  const { text } = await server.tcp('/metrics')
  parse(text)
  assert.ok(text.includes(String.raw`host="a\"b\\c\nd"`))
})

test('metrics say what plugins use, which limits they went over, and how often they ended', async (t) => {
  const { kernel, runtime, clock } = await watchedKernel(t)
  const server = await startServer(t, kernel)
  runtime.use('demo/one', { cpuMs: 1_500, memoryBytes: 4096, stallMs: 20, processes: 2 })
  await clock.advance(1_000)
  runtime.violate('demo/one', { kind: 'limit', limit: 'output', detail: 'wrote 9 of 8 MiB' })
  runtime.violate('demo/one', { kind: 'grant', permission: 'exec sh', detail: 'spawn refused' })
  runtime.crash('demo/two')
  await clock.advance(1)
  await kernel.plugins.start('demo/two')
  const samples = parse((await server.tcp('/metrics')).text)
  const expected: [string, number | undefined][] = [
    ['backplane_plugin_cpu_seconds_total{plugin="demo/one"}', 1.5],
    ['backplane_plugin_memory_bytes{plugin="demo/one"}', 4096],
    ['backplane_plugin_heap_bytes{plugin="demo/one"}', undefined],
    ['backplane_plugin_stall_seconds{plugin="demo/one"}', 0.02],
    ['backplane_plugin_processes{plugin="demo/one"}', 2],
    ['backplane_plugin_violations_total{plugin="demo/one",limit="output"}', 1],
    ['backplane_plugin_denials_total{plugin="demo/one"}', 1],
    ['backplane_plugin_exits_total{plugin="demo/two"}', 1],
    ['backplane_plugin_restarts_total{plugin="demo/two"}', 1],
    ['backplane_plugin_restarts_total{plugin="demo/one"}', 0],
    ['backplane_plugin_moved_back_total{plugin="demo/one"}', 0],
    ['backplane_plugin_quarantined{plugin="demo/two"}', 0],
  ]
  for (const [name, value] of expected) assert.equal(samples.get(name), value, name)
})

test('counters go on over a reload, an end and a stop: nothing that was counted is taken back', async (t) => {
  const { kernel, runtime, clock } = await watchedKernel(t)
  const server = await startServer(t, kernel)
  const network = (times: number): NetworkUse => ({
    connections: 3 * times,
    open: 1,
    refused: times,
    receivedBytes: 500 * times,
    sentBytes: 50 * times,
  })
  let before = new Map<string, number>()
  const counted = async (): Promise<Map<string, number>> => {
    const { text } = await server.tcp('/metrics')
    const counters = new Set([...text.matchAll(/^# TYPE (backplane_\S+) (?:counter|histogram)$/gm)].map(([, name = '']) => name))
    const samples = [...parse(text)].filter(([key]) => counters.has(key.replace(/(?:_bucket|_sum|_count)?(?:\{.*)?$/, '')))
    const now = new Map(samples)
    for (const [key, value] of before) assert.ok((now.get(key) ?? -1) >= value, `${key}: ${now.get(key)} after ${value}`)
    before = now
    return now
  }
  for (let round = 1; round <= 3; round++) {
    runtime.use('demo/one', { cpuMs: 1_000, network: network(1) })
    await clock.advance(1_000)
    runtime.use('demo/one', { cpuMs: 1_500, network: network(2) })
    await clock.advance(1_000)
    const now = await counted()
    assert.equal(now.get('backplane_plugin_cpu_seconds_total{plugin="demo/one"}'), 1.5 * round)
    assert.equal(now.get('backplane_plugin_connections_total{plugin="demo/one"}'), 6 * round)
    assert.equal(now.get('backplane_plugin_network_received_bytes_total{plugin="demo/one"}'), 1_000 * round)
    // What the next generation has used when it is first asked is less than what this one had.
    runtime.use('demo/one', { cpuMs: 0, network: network(0) })
    if (round === 1) await kernel.plugins.reload('demo/one')
    else {
      runtime.crash('demo/one')
      await clock.advance(1)
      await counted()
      await kernel.plugins.start('demo/one')
    }
    await clock.advance(1_000)
    await counted()
  }
})
