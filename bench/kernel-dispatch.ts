/*
 * What a call through the kernel costs over a direct one, in one process: the dispatcher alone, because the plugin runs
 * inline. Medians of interleaved rounds; compare ratios, not machines.
 */
import { anything, defineHook, defineProvider, stream, unary } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { systemClock } from '@backplane/kernel'
import { atMost, median, print } from './rpc/contest.ts'

const point = defineProvider('bench.echo', { say: unary(anything, anything), count: stream(anything, anything) })
const hook = defineHook('bench.hook', { strategy: 'pipe', value: anything })
const payload = { id: 'vm-7', format: 'raw', labels: ['a', 'b'], size: 42 }

const implementation = {
  say: async (value: unknown) => value,
  async *count(to: unknown) {
    for (let at = 0; at < Number(to); at += 1) yield at
  },
}

await using t = await testKernel({
  points: [point, hook],
  clock: { ...systemClock, advance: async () => undefined, waiting: async () => undefined, pending: () => 0 },
  plugins: [
    {
      manifest: { id: 'bench/echo', contributes: { 'bench.echo': { it: {} }, 'bench.hook': { it: {} } } },
      setup: (scope) => {
        scope.provide(point, 'it', implementation)
        scope.on(hook, 'it', (value) => value)
      },
    },
  ],
})
const client = t.kernel.provider(point, 'it')
const signal = new AbortController().signal

const cases: Readonly<Record<string, (times: number) => Promise<void>>> = {
  'direct async call': async (times) => {
    for (let at = 0; at < times; at += 1) await implementation.say(payload)
  },
  'call through the kernel': async (times) => {
    for (let at = 0; at < times; at += 1) await client.say(payload)
  },
  '… with deadline, signal and progress': async (times) => {
    const options = { deadlineMs: 5_000, signal, onProgress: () => undefined }
    for (let at = 0; at < times; at += 1) await client.say(payload, options)
  },
  '… 256 in flight': async (times) => {
    for (let at = 0; at < times; at += 256) await Promise.all(Array.from({ length: 256 }, () => client.say(payload)))
  },
  'direct stream item': async (times) => {
    for await (const _ of implementation.count(times)) void _
  },
  'stream item through the kernel': async (times) => {
    for await (const _ of client.count(times)) void _
  },
  'emit to one handler (pipe)': async (times) => {
    for (let at = 0; at < times; at += 1) await t.kernel.emit(hook, payload)
  },
}

const rounds = Number(process.env['ROUNDS'] ?? 15)
const times = 20_480
const samples = new Map<string, number[]>(Object.keys(cases).map((name) => [name, []]))
for (const run of Object.values(cases)) await run(times)
for (let round = 0; round < rounds; round += 1) {
  for (const [name, run] of Object.entries(cases)) {
    const startedMs = performance.now()
    await run(times)
    samples.get(name)?.push(((performance.now() - startedMs) * 1_000) / times)
  }
}

const us = new Map([...samples].map(([name, values]) => [name, median(values)]))
const added = (name: string, base: string): number => (us.get(name) ?? Number.NaN) - (us.get(base) ?? Number.NaN)
print('A call through the kernel, in one process', { 'us, one after the other': us }, [
  atMost('a call through the kernel adds, us', added('call through the kernel', 'direct async call'), 2),
  atMost('a stream item through the kernel adds, us', added('stream item through the kernel', 'direct stream item'), 2),
])
