import type { BreakerState, Kernel, PluginRecord, SpentUsage, UsageSample } from '@backplane/kernel'
import type { EventTally, PluginTally } from './event-tally.ts'
import { stateNames } from './plugin-status.ts'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number, suffix?: string]

// One number per plugin.
const perPlugin: readonly (readonly [string, 'counter' | 'gauge', string, (record: PluginRecord) => number])[] = [
  ['generation', 'gauge', 'Number of the newest start.', (record) => record.generation],
  ['draining', 'gauge', 'Older generations still finishing.', (record) => record.draining.length],
  ['calls_total', 'counter', 'Calls ended.', (record) => record.counters.calls],
  ['errors_total', 'counter', 'Calls ended with an error.', (record) => record.counters.errors],
  ['calls_active', 'gauge', 'Calls running.', (record) => record.counters.active],
  ['calls_queued', 'gauge', 'Calls waiting for a slot.', (record) => record.counters.queued],
  ['denials_total', 'counter', 'Times it tried what it was not granted.', (record) => record.denials],
  ['quarantined', 'gauge', '1 while it is in quarantine.', ({ state }) => (state.name === 'quarantined' ? 1 : 0)],
  ['unhealthy_looks', 'gauge', 'Looks in a row without a good answer.', (record) => record.health?.failures ?? 0],
]

// One number per plugin that runs where it can be told from the host.
const perUsage: readonly (readonly [string, 'gauge', string, (usage: UsageSample) => number | undefined])[] = [
  ['memory_bytes', 'gauge', 'Resident memory of all its processes.', ({ memoryBytes }) => memoryBytes],
  ['heap_bytes', 'gauge', 'JavaScript heap in use.', ({ heapBytes }) => heapBytes],
  ['stall_seconds', 'gauge', 'Longest its event loop stood still, of the newest sample.', ({ stallMs }) => seconds(stallMs)],
  ['processes', 'gauge', 'Processes and threads.', ({ processes }) => processes],
  ['open_files', 'gauge', 'Open descriptors.', ({ openFiles }) => openFiles],
  ['connections_open', 'gauge', 'Connections open now.', ({ network }) => network?.open],
]

// Of all generations of a plugin, so that they go on over a reload.
const perSpent: readonly (readonly [string, string, (spent: SpentUsage) => number | undefined])[] = [
  ['cpu_seconds_total', 'CPU time.', ({ cpuMs }) => seconds(cpuMs)],
  ['connections_total', 'Connections made for it.', ({ network }) => network?.connections],
  ['connections_refused_total', 'Connections it was not granted.', ({ network }) => network?.refused],
  ['network_received_bytes_total', 'From the network to it.', ({ network }) => network?.receivedBytes],
  ['network_sent_bytes_total', 'From it to the network.', ({ network }) => network?.sentBytes],
]

/** What only events tell. */
const perTally: readonly (readonly [string, string, (tally: PluginTally) => number])[] = [
  ['restarts_total', 'Starts after an end that nobody asked for.', ({ restarts }) => restarts],
  ['exits_total', 'Ends that nobody asked for.', ({ exits }) => exits],
  ['moved_back_total', 'New versions taken back by themselves.', ({ movedBack }) => movedBack],
  ['updates_failed_total', 'Updates that failed.', ({ updatesFailed }) => updatesFailed],
]

/** Metrics of the plugins and of this process. Source: Prometheus text exposition format 0.0.4. */
export function metricsText(kernel: Kernel, tally: EventTally): string {
  const records = kernel.plugins.list()
  const host = { host: kernel.host.name, api: kernel.host.api, node: process.versions.node }
  const plugins = records.map(({ id, version, origin }): Sample => [{ plugin: id, version, origin }, 1])
  const states = records.flatMap(({ id, state }) =>
    stateNames.map((name): Sample => [{ plugin: id, state: name }, state.name === name ? 1 : 0]),
  )
  return [
    family('backplane_info', 'gauge', 'The host and what runs it.', [[host, 1]]),
    family('backplane_plugin_info', 'gauge', 'Version and origin of each plugin.', plugins),
    family('backplane_plugin_state', 'gauge', '1 for the state a plugin is in.', states),
    ...perPlugin.map(([name, type, help, value]) => {
      const samples = records.map((record): Sample => [{ plugin: record.id }, value(record)])
      return family(`backplane_plugin_${name}`, type, help, samples)
    }),
    ...perUsage.map(([name, type, help, value]) => {
      const told = records.flatMap(({ id, usage }) => {
        const number = usage === undefined ? undefined : value(usage)
        return number === undefined ? [] : [[{ plugin: id }, number] satisfies Sample]
      })
      return family(`backplane_plugin_${name}`, type, help, told)
    }),
    ...perSpent.map(([name, help, value]) => {
      const told = records.flatMap(({ id, spent }) => {
        const number = spent === undefined ? undefined : value(spent)
        return number === undefined ? [] : [[{ plugin: id }, number] satisfies Sample]
      })
      return family(`backplane_plugin_${name}`, 'counter', help, told)
    }),
    ...perTally.map(([name, help, value]) => {
      const samples = records.map(({ id }): Sample => [{ plugin: id }, value(tally.of(id))])
      return family(`backplane_plugin_${name}`, 'counter', help, samples)
    }),
    family('backplane_plugin_violations_total', 'counter', 'Times it went over a limit.', records.flatMap(violations)),
    family('backplane_plugin_breaker', 'gauge', '1 for the state of a breaker.', records.flatMap(breakers)),
    family('backplane_plugin_call_duration_seconds', 'histogram', 'How long calls took.', records.flatMap(histogram)),
    ...processFamilies(),
  ].join('')
}

function violations({ id, violations: counts }: PluginRecord): Sample[] {
  return Object.entries(counts).map(([limit, count]): Sample => [{ plugin: id, limit }, count])
}

function breakers({ id, breakers: all }: PluginRecord): Sample[] {
  return all.flatMap(({ point, name, state }) =>
    breakerStates.map((one): Sample => [{ plugin: id, point, name, state: one }, one === state ? 1 : 0]),
  )
}

const breakerStates: readonly BreakerState[] = ['closed', 'open', 'half-open']

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000
}

function histogram(record: PluginRecord): Sample[] {
  const { buckets, count, sumMs } = record.counters.latency
  const plugin = record.id
  const bounded = buckets.filter(({ leMs }) => Number.isFinite(leMs))
  return [
    ...bounded.map(({ leMs, count: upTo }): Sample => [{ plugin, le: String(leMs / 1_000) }, upTo, '_bucket']),
    [{ plugin, le: '+Inf' }, count, '_bucket'],
    [{ plugin }, sumMs / 1_000, '_sum'],
    [{ plugin }, count, '_count'],
  ]
}

function processFamilies(): string[] {
  const memory = process.memoryUsage()
  const cpu = process.cpuUsage()
  const startedAtSeconds = Math.round(performance.timeOrigin / 1_000)
  return [
    family('process_cpu_seconds_total', 'counter', 'CPU time.', [[{}, (cpu.user + cpu.system) / 1e6]]),
    family('process_resident_memory_bytes', 'gauge', 'Resident memory.', [[{}, memory.rss]]),
    family('process_start_time_seconds', 'gauge', 'Start, since the epoch.', [[{}, startedAtSeconds]]),
    family('nodejs_heap_size_used_bytes', 'gauge', 'JavaScript heap in use.', [[{}, memory.heapUsed]]),
    family('nodejs_external_memory_bytes', 'gauge', 'Memory outside the heap.', [[{}, memory.external]]),
    family('nodejs_eventloop_utilization', 'gauge', 'Busy share of the event loop since the start.', [
      [{}, performance.eventLoopUtilization().utilization],
    ]),
  ]
}

function family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value, suffix = '']) => `${name}${suffix}${labelText(labels)} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escape(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}
