// A host with a kernel, an innocent plugin and hostile ones, that does what the test says over its IPC channel.
import { createKernel, type KernelLogLine } from '@backplane/kernel'
import type { CallOptions } from '@backplane/sdk'
import { confined, contained, trusted } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { attacks, work } from './points.ts'
import { Steady } from './steady.ts'
import { limits, runnerLimits, thirdPartyTimes } from './third-party.ts'
import { tierChoices, type TierName } from './tiers.ts'

const [tierName = 'os', root = '', kind = 'usual'] = process.argv.slice(2)
const { tier, isolation } = tierChoices[tierName as TierName]
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
const lines: KernelLogLine[] = []
/** Made before any plugin runs, to be compared with afterwards. */
const intrinsics = fingerprint()

const kernel = await createKernel({
  host: { name: 'hostile-host', api: '1.0.0' },
  points: [attacks, work],
  sources: [directory(`${root}/plugins`, { store: `${root}/store`, watch: false, settleMs: 0 })],
  runtimes: [
    trusted({ modules }),
    contained({ modules, hangMs: 300, temporaryDirectory: root }),
    confined({ modules, hangMs: 300, temporaryDirectory: root }),
  ],
  policy: { tier: () => tier, isolation: () => isolation },
  settings: (id) => {
    if (id === 'hostile/innocent') return { config: { secret: '${secret:innocent}' } }
    if (id === 'hostile/talker') return { config: { secret: '${secret:talker}' } }
    if (id === 'hostile/runner') return { limits: runnerLimits }
    if (id === 'hostile/swaps') return { config: { shared: `${root}/shared` }, limits: runnerLimits }
    return undefined
  },
  secrets: { resolve: (name) => Promise.resolve(`canary-of-${name}`) },
  dataDirectory: `${root}/data`,
  limits,
  times: thirdPartyTimes,
  // Attackers end often here, and each attack is to be tried.
  ...(kind === 'usual'
    ? {
        supervision: {
          crashes: 10_000,
          firstWaitMs: 1,
          longestWaitMs: 1,
          breakerFailures: 1e9,
          breakerRatio: 2,
          breakerOpenMs: 1,
        },
      }
    : {}),
  log: { write: (line) => void lines.push(line) },
  watch: false,
})
const steady = new Steady(kernel)

interface Request {
  readonly id: number
  readonly what: string
  readonly given: never
}

const orders: Readonly<Record<string, (given: never) => unknown>> = {
  health: () => true,
  call: async ({ plugin, method, value, timeoutMs }: CallOrder) => {
    const handle = kernel.provider(attacks, plugin)
    const told: unknown[] = []
    try {
      const options: CallOptions = { deadlineMs: timeoutMs, onProgress: (progress: unknown) => void told.push(progress) }
      const answer = method === 'count' ? await handle.count?.(value, options) : await handle.run(value, options)
      return { answer, told }
    } catch (error) {
      const { code, message, details } = Object(error) as Record<string, unknown>
      return { failed: { code, message, details }, told }
    }
  },
  load: () => steady.take(),
  record: ({ plugin }: { plugin: string }) => kernel.plugins.get(plugin),
  events: ({ after = 0 }: { after?: number }) => kernel.events.since(after).events.map(({ event }) => event),
  newestEvent: () => kernel.events.since(0).events.at(-1)?.seq ?? 0,
  lines: () => lines,
  disable: async ({ plugin }: { plugin: string }) => (await kernel.plugins.disable(plugin)).state.name,
  enable: async ({ plugin }: { plugin: string }) => (await kernel.plugins.enable(plugin)).state.name,
  release: async ({ plugin }: { plugin: string }) => (await kernel.plugins.release(plugin)).state.name,
  isIntact: () => fingerprint() === intrinsics && !('polluted' in {}),
  rss: () => process.memoryUsage.rss(),
  stop: async () => {
    await steady[Symbol.asyncDispose]()
    await kernel[Symbol.asyncDispose]()
    setImmediate(() => process.disconnect?.())
    return true
  },
}

interface CallOrder {
  readonly plugin: string
  readonly method: 'run' | 'count'
  readonly value: unknown
  readonly timeoutMs: number
}

// Taken before any plugin runs: in the trusted tier one may replace them.
const send = process.send?.bind(process)
process.on('message', (message) => {
  const { id, what, given } = message as Request
  void Promise.resolve()
    .then(() => orders[what]?.(given))
    .then(
      (answer) => send?.({ id, answer: answer }),
      (error: unknown) => send?.({ id, error: String(error) }),
    )
})
await steady.begin()
send?.({ id: 0, answer: kernel.report })

/** What everything in a process relies on, as a text that is another when it was tampered with. */
function fingerprint(): string {
  const parts = [Object, Array, Function, Promise, String, Number, Map, Set, JSON, Reflect, Math].flatMap((holder) => {
    const own = Object.getOwnPropertyNames(holder)
    const shared = 'prototype' in holder ? Object.getOwnPropertyNames(holder.prototype) : []
    return own.concat('.', shared)
  })
  const holders: readonly (readonly [object, string])[] = [
    [Array.prototype, 'map'],
    [Promise.prototype, 'then'],
    [JSON, 'parse'],
    [globalThis, 'fetch'],
    [process, 'emit'],
  ]
  const sources = holders.map(([holder, name]) => Function.prototype.toString.call(Reflect.get(holder, name)))
  return `${parts.join(' ')}\n${sources.join('\n')}`
}
