import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createKernel, type Kernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { anything, defineProvider, stream, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { sqliteStore } from '@backplane/storage'
import { temporaryDirectory } from '@backplane/testing'

/** Set `RELOADS=1000` for the whole of it. With much fewer, what a heap under load differs in by itself passes for growth. */
const reloads = Number(process.env['RELOADS'] ?? 120)
const callers = 8

const point = defineProvider('scenario.echo', { say: unary(anything, anything), count: stream(anything, anything) })
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }

test('a plugin in a process of its own is replaced under constant load: no call fails, none is lost, nothing grows', async (t) => {
  const root = await temporaryDirectory(t)
  await writeVersion(root, 0)
  await using kernel = await makeKernel(root)
  assert.equal(await kernel.provider(point, 'it').say(null), 0)
  await using load = new Load(kernel)
  await reload(kernel, root, { from: 1, to: 10 })
  const before = await footprint()
  await reload(kernel, root, { from: 11, to: reloads })
  const after = await footprint()
  const { calls, failures, versions } = await load.stop()
  report(t, { before, after, calls })
  assert.deepEqual(failures.slice(0, 5), [])
  assert.ok(versions.size > reloads / 2, `only ${versions.size} versions were seen`)
  assert.equal(kernel.plugins.get('scenario/echo')?.generation, reloads + 1)
  assert.ok(after.descriptors <= before.descriptors + 8, `${before.descriptors} descriptors became ${after.descriptors}`)
  assert.ok(after.children <= before.children + 1, `${before.children} child processes became ${after.children}`)
  assert.equal(after.listeners, before.listeners)
  const perReloadKiB = ((after.heapMiB - before.heapMiB) * 1024) / (reloads - 10)
  // one retained generation with its client, session and sockets would be far more; what the history and the ring keep is less
  assert.ok(perReloadKiB < 64, `each reload kept ${perReloadKiB.toFixed(1)} KiB`)
})

function makeKernel(root: string): Promise<Kernel> {
  return createKernel({
    host: { name: 'scenario', api: '1.0.0' },
    points: [point],
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 1 })],
    runtimes: [confined({ modules, pool: { size: 1 } })],
    store: sqliteStore(join(root, 'kernel.db')),
    dataDirectory: join(root, 'data'),
    policy: { isolation: () => ({ floor: 'process' }), waive: () => ['*'] },
    // how busy this machine is otherwise is not what is being tried
    probation: { slowerFloorMs: 600_000 },
    watch: false,
  })
}

async function reload(kernel: Kernel, root: string, { from, to }: { readonly from: number; readonly to: number }): Promise<void> {
  for (let version = from; version <= to; version += 1) {
    await writeVersion(root, version)
    const refreshed = await kernel.plugins.refresh()
    assert.deepEqual(
      [refreshed.updated, refreshed.failed],
      [['scenario/echo'], []],
      JSON.stringify(kernel.plugins.get('echo')?.update),
    )
  }
}

/** Callers that call without a pause, and streams that are read to their end. */
class Load implements AsyncDisposable {
  readonly #over = new AbortController()
  readonly #failures: string[] = []
  readonly #versions = new Set<unknown>()
  readonly #running: readonly Promise<void>[]
  #calls = 0

  constructor(kernel: Kernel) {
    const client = kernel.provider(point, 'it')
    const call = async (): Promise<void> => void this.#versions.add(await client.say(null))
    const read = async (): Promise<void> => {
      const items: unknown[] = []
      for await (const item of client.count(3)) items.push(item)
      assert.deepEqual(items, [1, 2, 3])
    }
    this.#running = Array.from({ length: callers }, (_, at) => this.#repeat(at % 4 === 0 ? read : call))
  }

  /** Settles once every call that was begun has ended. */
  async stop(): Promise<{
    readonly calls: number
    readonly failures: readonly string[]
    readonly versions: ReadonlySet<unknown>
  }> {
    this.#over.abort()
    await Promise.all(this.#running)
    return { calls: this.#calls, failures: this.#failures, versions: this.#versions }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #repeat(work: () => Promise<void>): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.#calls += 1
      await work().catch((error: unknown) => this.#failures.push(String(error)))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

interface Footprint {
  readonly heapMiB: number
  readonly descriptors: number
  readonly children: number
  readonly listeners: number
}

async function footprint(): Promise<Footprint> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let turn = 0; turn < 5; turn += 1) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  return {
    heapMiB: process.memoryUsage().heapUsed / 1024 ** 2,
    descriptors: (await readdir('/proc/self/fd')).length,
    children: children.trim().split(' ').length,
    listeners,
  }
}

function report(
  t: TestContext,
  { before, after, calls }: { readonly before: Footprint; readonly after: Footprint; readonly calls: number },
): void {
  const line = ({ heapMiB, descriptors, children, listeners }: Footprint): string =>
    `${heapMiB.toFixed(1)} MiB of heap, ${descriptors} descriptors, ${children} child processes, ${listeners} listeners`
  t.diagnostic(`${reloads} reloads, ${calls} calls; after 10: ${line(before)}; at the end: ${line(after)}`)
}

async function writeVersion(root: string, version: number): Promise<void> {
  const folder = join(root, 'plugins', 'echo')
  await mkdir(folder, { recursive: true })
  const manifest = {
    schemaVersion: 1,
    id: 'scenario/echo',
    version: `1.0.${version}`,
    requires: { api: '^1.0.0' },
    contributes: { 'scenario.echo': { it: {} } },
  }
  const code = `import { anything, definePlugin, defineProvider, stream, unary } from '@backplane/sdk'
const point = defineProvider('scenario.echo', { say: unary(anything, anything), count: stream(anything, anything) })
export default definePlugin((scope) => {
  scope.health(() => {})
  scope.provide(point, 'it', {
    say: () => ${version},
    async *count(to) {
      for (let at = 1; at <= to; at += 1) yield at
    },
  })
})
`
  await Promise.all([
    writeFile(join(folder, 'package.json'), '{ "type": "module" }'),
    writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest)),
    writeFile(join(folder, 'index.js'), code),
  ])
}
