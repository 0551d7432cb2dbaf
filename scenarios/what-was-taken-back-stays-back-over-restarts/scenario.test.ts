import assert from 'node:assert/strict'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createKernel, type Kernel } from '@backplane/kernel'
import { trusted } from '@backplane/runtimes'
import { anything, defineProvider, unary, type Schema } from '@backplane/sdk'
import { directory } from '@backplane/sources'
import { sqliteStore } from '@backplane/storage'
import { temporaryDirectory } from '@backplane/testing'

const text: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'scenario',
    validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: 'must be text' }] }),
  },
}
const point = defineProvider('scenario.greeting', { greet: unary(anything, text) })
const modules = { '@backplane/sdk': import.meta.resolve('@backplane/sdk') }

test('moved back, rolled back, pinned: the chosen version serves after each restart, from the package store', async (t) => {
  const root = await temporaryDirectory(t)
  await install(root, '1.0.0', "'hello'")
  {
    await using kernel = await host(root)
    for (let at = 0; at < 20; at += 1) assert.equal(await greet(kernel), 'hello')
    await install(root, '2.0.0', '42')
    await kernel.plugins.refresh()
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => greet(kernel)))
    assert.ok(answers.every(({ status }) => status === 'rejected'))
    assert.equal(await greet(kernel), 'hello')
    assert.equal(kernel.plugins.get('greeting')?.update?.failure.code, 'UPDATE_MOVED_BACK')
  }
  {
    await using kernel = await host(root)
    assert.equal(await greet(kernel), 'hello')
    const { version, held, update } = kernel.plugins.get('greeting') ?? {}
    assert.deepEqual([version, held?.why, update?.failure.code], ['1.0.0', 'moved back', 'UPDATE_MOVED_BACK'])
    await install(root, '3.0.0', "'good day'")
    await kernel.plugins.refresh()
    assert.equal(await greet(kernel), 'good day')
    await kernel.plugins.rollback('greeting')
    assert.equal(await greet(kernel), 'hello')
  }
  {
    await using kernel = await host(root)
    assert.equal(await greet(kernel), 'hello')
    assert.deepEqual(
      (await kernel.plugins.history('greeting')).map(({ version, outcome }) => `${version} ${outcome}`),
      ['1.0.0 serving', '3.0.0 rolled back', '1.0.0 replaced', '2.0.0 moved back', '1.0.0 replaced'],
    )
    await kernel.plugins.pin('greeting', '3.0.0')
    assert.equal(await greet(kernel), 'good day')
    await install(root, '4.0.0', "'hey'")
    await kernel.plugins.refresh()
  }
  {
    await using kernel = await host(root)
    assert.equal(await greet(kernel), 'good day')
    const free = await kernel.plugins.pin('greeting', undefined)
    assert.equal(free.version, '4.0.0')
    assert.equal(await greet(kernel), 'hey')
    for (const version of ['5.0.0', '5.0.1', '5.0.2', '5.0.3']) {
      await install(root, version, `no ) JavaScript of ${version}`)
      await kernel.plugins.refresh()
      assert.equal(kernel.plugins.get('greeting')?.update?.version, version)
    }
  }
  {
    await using kernel = await host(root)
    assert.equal(await greet(kernel), 'hey', 'failed updates do not push what serves out of the store')
    assert.equal(kernel.plugins.get('greeting')?.held?.against.version, '5.0.3')
  }
})

test('a version whose probation a restart cut short is watched on, and moved back to what the package store kept', async (t) => {
  const root = await temporaryDirectory(t)
  await install(root, '1.0.0', "'hello'")
  {
    await using kernel = await host(root)
    for (let at = 0; at < 20; at += 1) assert.equal(await greet(kernel), 'hello')
    await install(root, '2.0.0', '(globalThis.greeted = (globalThis.greeted ?? 0) + 1) > 2 ? 42 : "hi"')
    await kernel.plugins.refresh()
    assert.equal(await greet(kernel), 'hi')
  }
  {
    await using kernel = await host(root)
    assert.equal(await greet(kernel), 'hi')
    const { probation } = kernel.plugins.get('greeting') ?? {}
    assert.deepEqual([probation?.version, probation?.generation], ['1.0.0', undefined])
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => greet(kernel)))
    assert.ok(answers.every(({ status }) => status === 'rejected'))
    const movedBack = Promise.withResolvers<void>()
    const look = (type: string): void => (type === 'plugin.moved-back' ? movedBack.resolve() : undefined)
    using _ = kernel.events.subscribe(({ event }) => look(event.type))
    for (const { event } of kernel.events.since(0).events) look(event.type)
    await movedBack.promise
    assert.equal(await greet(kernel), 'hello')
  }
  await using kernel = await host(root)
  assert.equal(await greet(kernel), 'hello')
  assert.equal(kernel.plugins.get('greeting')?.held?.why, 'moved back')
})

/** A host of its own; disposing it closes its store too. */
async function host(root: string): Promise<Kernel> {
  const store = sqliteStore(join(root, 'kernel.db'))
  const kernel = await createKernel({
    host: { name: 'scenario', api: '1.0.0' },
    points: [point],
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false, settleMs: 1 })],
    runtimes: [trusted({ modules })],
    store,
    dataDirectory: join(root, 'data'),
    policy: { tier: () => 'trusted' },
    watch: false,
  })
  const dispose = async (): Promise<void> => {
    await kernel[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  }
  return { ...kernel, [Symbol.asyncDispose]: dispose }
}

async function greet(kernel: Kernel): Promise<string> {
  return kernel.provider(point, 'it').greet(null)
}

/** Puts one version in the place of the other. */
async function install(root: string, version: string, answer: string): Promise<void> {
  const [staging, folder] = [join(root, 'staging'), join(root, 'plugins', 'greeting')]
  await mkdir(staging)
  await mkdir(join(root, 'plugins'), { recursive: true })
  const contributes = { 'scenario.greeting': { it: {} } }
  const manifest = { schemaVersion: 1, id: 'scenario/greeting', version, requires: { api: '^1.0.0' }, contributes }
  const code = `import { anything, definePlugin, defineProvider, unary } from '@backplane/sdk'
const point = defineProvider('scenario.greeting', { greet: unary(anything, anything) })
export default definePlugin((scope) => scope.provide(point, 'it', { greet: () => ${answer} }))
`
  await writeFile(join(staging, 'package.json'), '{ "type": "module" }')
  await writeFile(join(staging, 'plugin.json'), JSON.stringify(manifest))
  await writeFile(join(staging, 'index.js'), code)
  await rm(folder, { recursive: true, force: true })
  await rename(staging, folder)
}
