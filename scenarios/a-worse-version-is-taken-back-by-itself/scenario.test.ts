import assert from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createKernel, type Kernel, type KernelEvent } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { anything, defineProvider, unary, type Schema } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { temporaryDirectory } from '@backplane/testing'

const text: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'scenario',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'must be text' }] }),
  },
}
const point = defineProvider('scenario.work', { work: unary(anything, text) })
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }
const good = 'await new Promise((resolve) => setTimeout(resolve, 1)); return "good"'

/** How each worse version works; all pass every check before they take over. */
const worse: Readonly<Record<string, { readonly code: string; readonly reason: RegExp }>> = {
  'ends its process at its tenth call': {
    code: 'calls += 1; if (calls === 10) process.exit(3); return "good"',
    reason: /^ended$/,
  },
  'stops its event loop at its tenth call': {
    code: 'calls += 1; if (calls === 10) for (;;); return "good"',
    reason: /^(unhealthy|ended)$/,
  },
  'answers wrongly': { code: 'return 42', reason: /^faults$/ },
  'throws every second time': { code: 'calls += 1; if (calls % 2) throw new Error("odd"); return "good"', reason: /^faults$/ },
  'is ten times slower': { code: 'await new Promise((resolve) => setTimeout(resolve, 150)); return "good"', reason: /^slow$/ },
  'leaks memory': { code: 'kept.push(Buffer.alloc(2 ** 20, 1)); return "good"', reason: /^(memory|limit|ended)$/ },
}

for (const [what, { code, reason }] of Object.entries(worse)) {
  test(`a version that ${what} is moved back, and nothing but its own mistakes fails`, { timeout: 60_000 }, async (t) => {
    const root = await temporaryDirectory(t)
    await install(root, '1.0.0', good)
    await using kernel = await makeKernel(root)
    const client = kernel.provider(point, 'it')
    await Promise.all(Array.from({ length: 120 }, () => client.work(null)))
    await using load = new Load(kernel)
    await install(root, '2.0.0', code)
    const moved = movedBack(kernel)
    await kernel.plugins.refresh()
    const event = await moved
    load.mark()
    assert.match(event.reason, reason, event.evidence)
    assert.deepEqual([event.from, event.to, kernel.plugins.get('work')?.version], ['2.0.0', '1.0.0', '1.0.0'])
    await load.answers(50)
    const { before, after } = await load.stop()
    report(t, event, before.length)
    assert.deepEqual(
      before.filter((error) => !isItsOwn(error)),
      [],
    )
    assert.deepEqual(
      after.filter((error) => !isItsOwn(error)),
      [],
    )
  })
}

function makeKernel(root: string): Promise<Kernel> {
  return createKernel({
    host: { name: 'scenario', api: '1.0.0' },
    points: [point],
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 1 })],
    runtimes: [confined({ modules })],
    dataDirectory: join(root, 'data'),
    policy: { isolation: () => ({ floor: 'process', trust: 'first-party' }), waive: () => ['*'] },
    times: { proveMs: 1_000, drainMs: 1_000, stopMs: 500 },
    probation: { lookMs: 200, memoryFloorMiB: 40, memoryTimes: 1.5 },
    // the breaker would keep callers from seeing the mistakes of the worse version
    supervision: { breakerFailures: 1_000, breakerRatio: 2 },
    watch: false,
  })
}

type MovedBack = Extract<KernelEvent, { readonly type: 'plugin.moved-back' }>

function movedBack(kernel: Kernel): Promise<MovedBack> {
  return new Promise((resolve) => {
    kernel.events.subscribe(({ event }) => {
      if (event.type === 'plugin.moved-back') resolve(event)
    })
  })
}

/** Eight callers that call without a pause. */
class Load implements AsyncDisposable {
  readonly #over = new AbortController()
  readonly #before: string[] = []
  readonly #after: string[] = []
  readonly #running: readonly Promise<void>[]
  #isAfter = false
  #wanted: { left: number; readonly done: () => void } | undefined

  constructor(kernel: Kernel) {
    const client = kernel.provider(point, 'it')
    this.#running = Array.from({ length: 8 }, async () => {
      while (!this.#over.signal.aborted) {
        try {
          await client.work(null)
          this.#answered()
        } catch (error) {
          const list = this.#isAfter ? this.#after : this.#before
          list.push(`${String(Reflect.get(error as object, 'code'))}: ${String(error)}`)
        }
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })
  }

  /** What fails from now on fails after the version was moved back. */
  mark(): void {
    this.#isAfter = true
  }

  /** Settles after so many more good answers. */
  answers(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wanted = { left: count, done: resolve }
    return promise
  }

  async stop(): Promise<{ readonly before: readonly string[]; readonly after: readonly string[] }> {
    this.#over.abort()
    await Promise.all(this.#running)
    return { before: this.#before, after: this.#after }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #answered(): void {
    if (this.#wanted === undefined) return
    this.#wanted.left -= 1
    if (this.#wanted.left === 0) this.#wanted.done()
  }
}

/** Mistakes of the worse version: calls it took and did not answer as promised. */
function isItsOwn(error: string): boolean {
  return /^(PLUGIN_EXITED|CALL_OUTPUT_INVALID|CALL_FAILED|CALL_DRAINED|CALL_DEADLINE)/.test(error)
}

function report(t: TestContext, { reason, evidence }: MovedBack, failures: number): void {
  t.diagnostic(`${reason}: ${evidence}; ${failures} calls failed by its mistakes`)
}

async function install(root: string, version: string, code: string): Promise<void> {
  const [staging, folder] = [join(root, 'staging'), join(root, 'plugins', 'work')]
  await mkdir(staging)
  await mkdir(join(root, 'plugins'), { recursive: true })
  const contributes = { 'scenario.work': { it: {} } }
  const manifest = { schemaVersion: 1, id: 'scenario/work', version, requires: { api: '^1.0.0' }, contributes }
  const module = `import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
const point = defineProvider('scenario.work', { work: unary(anything, anything) })
const kept = []
let calls = 0
export default definePlugin((scope) => scope.provide(point, 'it', { work: async () => { ${code} } }))
`
  await writeFile(join(staging, 'package.json'), '{ "type": "module" }')
  await writeFile(join(staging, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(staging, 'index.js'), module)
  await rm(folder, { recursive: true, force: true })
  await rename(staging, folder)
}
