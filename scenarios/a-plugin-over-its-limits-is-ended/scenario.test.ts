import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createKernel, type Kernel, type KernelEvent, type KernelOptions } from '@backplane/kernel'
import { confined, contained } from '@backplane/runtimes'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { directory } from '@backplane/sources'

const point = defineProvider('demo.work', { run: unary(anything, anything) })

/** Does what it is told to, however bad. */
const code = `import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
const point = defineProvider('demo.work', { run: unary(anything, anything) })
const held = []
const work = {
  echo: () => 'well',
  never: () => new Promise(() => undefined),
  hold: () => { for (let at = 0; at < 30; at += 1) held.push(new Array(1_000_000).fill(at)); return held.length },
  spin: () => { for (;;); },
  throw: () => { throw new Error('down') },
}
export default definePlugin((scope) => {
  scope.log.info('ready to work')
  scope.provide(point, scope.plugin.id.split('/')[1], { run: async ({ what }) => work[what]() })
})
`

const tiers = { confined, contained }

/** A real kernel over two plugins in processes, or threads, of their own: one that misbehaves and a neighbour. */
async function host(t: TestContext, tier: keyof typeof tiers, options: Partial<KernelOptions> = {}): Promise<Kernel> {
  const root = await mkdtemp(join(tmpdir(), 'backplane-limits-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  for (const name of ['worker', 'neighbour']) {
    const folder = join(root, 'plugins', name)
    await mkdir(folder, { recursive: true })
    const api = { requires: { api: '^1.0.0' }, contributes: { 'demo.work': { [name]: {} } } }
    const manifest = { schemaVersion: 1, id: `demo/${name}`, version: '1.0.0', main: 'index.js', ...api }
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest))
    await writeFile(join(folder, 'index.js'), code)
  }
  const kernel = await createKernel({
    host: { name: 'limits', api: '1.0.0' },
    points: [point],
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false })],
    runtimes: [tiers[tier]({ modules: { '@backplane/sdk': import.meta.resolve('@backplane/sdk') } })],
    policy: { tier: () => tier, waive: () => ['*'] },
    dataDirectory: join(root, 'data'),
    watch: false,
    ...options,
  })
  t.after(() => kernel[Symbol.asyncDispose]())
  for (const name of ['worker', 'neighbour']) await kernel.plugins.start(`demo/${name}`)
  return kernel
}

const run = (kernel: Kernel, what: string, name = 'worker'): Promise<unknown> => kernel.provider(point, name).run({ what })

function event<T extends KernelEvent['type']>(kernel: Kernel, type: T): Promise<Extract<KernelEvent, { readonly type: T }>> {
  return new Promise((resolve) => {
    const look = ({ event: one }: { readonly event: KernelEvent }): void => {
      if (one.type === type) resolve(one as Extract<KernelEvent, { readonly type: T }>)
    }
    for (const known of kernel.events.since(0).events) look(known)
    kernel.events.subscribe(look)
  })
}

/** The neighbour answers and never ended, and the one that misbehaved works again. */
async function nobodyElseSuffered(kernel: Kernel): Promise<void> {
  await kernel.plugins.start('demo/worker')
  assert.equal(await run(kernel, 'echo', 'neighbour'), 'well')
  assert.equal(kernel.plugins.get('demo/neighbour')?.lastExit, undefined)
  assert.equal(await run(kernel, 'echo'), 'well')
}

for (const tier of ['confined', 'contained'] as const) {
  test(`a ${tier} plugin that holds more memory than it may is ended and named; its neighbour goes on`, async (t) => {
    const kernel = await host(t, tier, { limits: { memoryMiB: 192 }, supervision: { usageMs: 200 } })
    await run(kernel, 'hold').catch(() => undefined)
    const { cause, plugin } = await event(kernel, 'plugin.exited')
    assert.deepEqual([plugin, cause.kind], ['demo/worker', 'memory'])
    await nobodyElseSuffered(kernel)
  })

  test(`a ${tier} plugin whose event loop stands still is ended and named; its neighbour goes on`, async (t) => {
    const kernel = await host(t, tier, { limits: { stallMs: 400, timeoutMs: 60_000 }, supervision: { usageMs: 100 } })
    await assert.rejects(run(kernel, 'spin'), { code: 'PLUGIN_EXITED', plugin: 'demo/worker' })
    const { limit, action } = await event(kernel, 'limit.exceeded')
    assert.deepEqual([limit, action], ['stall', 'restart'])
    assert.equal((await event(kernel, 'plugin.exited')).cause.kind, 'hang')
    await nobodyElseSuffered(kernel)
  })

  test(`a ${tier} plugin that ignores the deadlines of too many calls is ended and named; its neighbour goes on`, async (t) => {
    const kernel = await host(t, tier, { limits: { timeoutMs: 1_500 }, supervision: { ignoredMs: 200, ignoredCalls: 3 } })
    const calls = [1, 2].map(() => run(kernel, 'never'))
    await Promise.all(calls.map((call) => assert.rejects(call, { code: 'CALL_DEADLINE' })))
    assert.equal(await run(kernel, 'echo'), 'well', 'two are not too many')
    await assert.rejects(run(kernel, 'never'), { code: 'CALL_DEADLINE' })
    const { cause } = await event(kernel, 'plugin.exited')
    assert.match(cause.kind === 'limit' ? cause.detail : cause.kind, /3 calls went on/)
    await nobodyElseSuffered(kernel)
  })
}
