import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { createKernel, type Kernel, type Runtime } from '@backplane/kernel'
import { confined, contained, probeSystem, trusted, type PooledRuntime } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { bundled, directory } from '@backplane/sources'
import { atMost, median, print, type Ratio } from './rpc/contest.ts'

/**
 * A plugin is replaced on disk while callers call it without a pause: milliseconds from `refresh()` to the first answer
 * of the new version, and how many calls failed meanwhile. `ROUNDS` sets how often it is replaced.
 */

const point = defineProvider('bench.version', { version: unary(anything, anything) })
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
const rounds = Number(process.env['ROUNDS'] ?? 9)
const callers = 8
// Where the machine builds no sandbox there is nothing to measure.
const sandboxed = probeSystem().sandbox ? (['sandboxed'] as const) : []
const root = await mkdtemp(join(tmpdir(), 'backplane-bench-'))

type Tier = keyof typeof runtimeOf

async function writeVersion(folder: string, version: number): Promise<void> {
  const manifest = {
    schemaVersion: 1,
    id: 'bench/version',
    version: `1.0.${version}`,
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes: { 'bench.version': { it: {} } },
  }
  const code = `import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
const point = defineProvider('bench.version', { version: unary(anything, anything) })
export default definePlugin((scope) => scope.provide(point, 'it', { version: async () => ${version} }))
`
  await Promise.all([
    writeFile(join(folder, 'package.json'), '{ "type": "module" }'),
    writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest)),
    writeFile(join(folder, 'index.js'), code),
  ])
}

interface Place {
  readonly kernel: Kernel
  readonly folder: string
  /** Settles when the runtime has a guest ahead again, as it has when nothing was replaced just before. */
  readonly warm: () => Promise<void>
}

const runtimeOf = {
  trusted: () => trusted({ modules }),
  contained: () => contained({ modules, pool: { size: 1 } }),
  confined: () => confined({ modules, pool: { size: 1 } }),
  sandboxed: () => confined({ modules, pool: { size: 1 } }),
}

async function place(tier: Tier, settled: boolean): Promise<Place> {
  const base = await mkdtemp(join(root, `${tier}-`))
  const folder = join(base, 'plugins', 'version')
  await mkdir(folder, { recursive: true })
  await writeVersion(folder, 0)
  const store = join(base, 'store')
  const runtime = runtimeOf[tier]()
  const kernel = await createKernel({
    host: { name: 'bench', api: '1.0.0' },
    points: [point],
    sources: [settled ? bundled([{ directory: folder }], { store }) : directory(join(base, 'plugins'), { store, watch: false })],
    runtimes: [runtime],
    policy: {
      tier: () => (tier === 'sandboxed' ? 'confined' : tier),
      isolation: () => ({ floor: tier === 'sandboxed' ? 'os' : 'process', trust: 'community' }),
      waive: () => ['exec', 'net:connect', 'fs'],
    },
    watch: false,
  })
  return { kernel, folder, warm: () => warm(runtime) }
}

interface Reload {
  readonly ms: number
  readonly calls: number
  readonly failed: number
}

async function warm(runtime: Runtime | PooledRuntime): Promise<void> {
  if ('warm' in runtime) await runtime.warm()
}

/** Replaces the plugin once under load. */
async function reload({ kernel, folder, warm: ready }: Place, version: number): Promise<Reload> {
  await ready()
  const client = kernel.provider(point, 'it')
  await client.version(null)
  const seen = Promise.withResolvers<number>()
  let calls = 0
  let failed = 0
  const enough = new AbortController()
  const call = async (): Promise<void> => {
    while (!enough.signal.aborted) {
      calls += 1
      try {
        if ((await client.version(null)) === version) seen.resolve(performance.now())
      } catch {
        failed += 1
      }
      await setImmediate()
    }
  }
  const load = Array.from({ length: callers }, call)
  await writeVersion(folder, version)
  const fromMs = performance.now()
  const refreshed = kernel.plugins.refresh()
  const ms = (await seen.promise) - fromMs
  await refreshed
  enough.abort()
  await Promise.all(load)
  return { ms, calls, failed }
}

const took = new Map<string, number>()
const failures = new Map<string, number>()
const served = new Map<string, number>()
const ratios: Ratio[] = []

async function measure(name: string, tier: Tier, settled: boolean): Promise<void> {
  const here = await place(tier, settled)
  const reloads: Reload[] = []
  for (let version = 1; version <= rounds; version++) reloads.push(await reload(here, version))
  await here.kernel[Symbol.asyncDispose]()
  const ms = median(reloads.map((one) => one.ms))
  const failed = reloads.reduce((sum, one) => sum + one.failed, 0)
  took.set(name, ms)
  failures.set(name, failed)
  served.set(
    name,
    reloads.reduce((sum, one) => sum + one.calls, 0),
  )
  if (settled) ratios.push(atMost(`${name}: ms to the new version`, ms, 100))
  ratios.push(atMost(`${name}: failed calls`, failed, 0))
}

try {
  for (const tier of ['trusted', 'contained', 'confined', ...sandboxed] as const) await measure(tier, tier, true)
  await measure('confined, with the wait for the files to settle', 'confined', false)
  print(
    'Hot reload under load',
    { 'ms from refresh to the new version': took, 'calls meanwhile': served, 'failed calls': failures },
    ratios,
  )
} finally {
  await rm(root, { recursive: true, force: true })
}
