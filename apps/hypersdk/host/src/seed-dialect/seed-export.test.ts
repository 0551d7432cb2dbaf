import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createKernel, type Kernel } from '@backplane/kernel'
import { confined } from '@backplane/runtimes'
import { directory } from '@backplane/sources'
import { temporaryDirectory } from '@backplane/testing'
import { provider } from '@hypersdk/points'
import { exported, info, open, places, refusal, whole } from './fixtures/open-seed.ts'
import { seedDialect } from './seed-dialect.ts'

for (const [problem, result] of [
  ['no Files', {}],
  ['no Files', null],
  ['a file outside OutputPath', { Files: ['../secret'] }],
  ['a file outside OutputPath', { Files: ['/etc/passwd'] }],
  ['a file that is not there', { Files: ['nothing.raw'] }],
  ['a file outside OutputPath', { OutputPath: '{staging}' }],
] as const) {
  test(`an export that answers ${JSON.stringify(result)} answers ${problem}`, async (t) => {
    const { staging } = await places(t)
    const answer = JSON.parse(JSON.stringify(result).replace('{staging}', staging)) as unknown
    const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM: () => answer }) })
    await assert.rejects(exported(client, staging), refusal('SEED_RESULT_INVALID', `ExportVM of p answered ${problem}`))
  })
}

test('an export may have several files, and their names say their formats', async (t) => {
  const { staging } = await places(t)
  await mkdir(join(staging, 'disks'))
  for (const file of ['disks/a.vmdk', 'disks/b']) await writeFile(join(staging, file), 'x')
  const answer = { files: ['disks/a.vmdk', join(staging, 'disks', 'b')], format: 'qcow2' }
  const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM: () => answer }) })
  const disks = (await exported(client, staging)).filter((item) => item.kind === 'disk')
  assert.deepEqual(
    disks.map(({ disk, format, label }) => [disk, format, label]),
    [
      ['disk0', 'vmdk', 'a.vmdk'],
      ['disk1', 'qcow2', 'b'],
    ],
  )
})

test('the context is cancelled with its call', async (t) => {
  const { staging } = await places(t)
  const started = new EventTarget()
  const seen: unknown[] = []
  interface Context {
    Done: () => Promise<void>
    Err: () => Error | null
    deadline: Date | null
  }
  const ExportVM = async (ctx: Context): Promise<void> => {
    seen.push(ctx.Err(), ctx.deadline instanceof Date)
    started.dispatchEvent(new Event('go'))
    await ctx.Done()
    seen.push(ctx.Err()?.message)
    throw ctx.Err() ?? new Error('not cancelled')
  }
  const client = await open(t, { PluginInfo: info, NewProvider: () => ({ ...whole, ExportVM }) })
  const cancel = new AbortController()
  const items = client.exportVm(
    { export_id: 'e', id: 'x', format: 'raw', staging_dir: staging },
    { signal: cancel.signal, deadlineMs: 60_000 },
  )
  const began = once(started, 'go')
  const first = items[Symbol.asyncIterator]().next()
  first.catch(() => undefined)
  await began
  cancel.abort(new Error('not wanted'))
  await assert.rejects(first)
  await new Promise(setImmediate)
  assert.deepEqual([seen[0], seen[1]], [null, true])
})

test("the guide's provider works as a dropped-in file in a process of its own", async (t) => {
  const { images, staging } = await places(t)
  const root = await temporaryDirectory(t)
  const plugins = join(root, 'plugins')
  await mkdir(plugins)
  await writeFile(join(plugins, 'myprovider.js'), await readFile(new URL('fixtures/guide-provider.js', import.meta.url)))
  const kernel = await seedKernel(root, plugins, images)
  t.after(() => kernel[Symbol.asyncDispose]())
  await using lease = await kernel.lease(provider, 'myprovider')
  await using client = await lease.handle.open({ metadata: { directory: images } })
  assert.equal((await client.listVms({}))[0]?.memory_mb, 2048)
  const target = join(lease.exchangeDirectory, 'call')
  await mkdir(target)
  assert.deepEqual(
    (await exported(client, target)).map((item) => item.kind),
    ['vm', 'disk', 'file'],
  )
  assert.equal(await readFile(join(target, 'web.raw'), 'utf8'), 'the disk of web')
  await assert.rejects(exported(client, staging), { message: /./ }, 'it may write nowhere else')
})

/** A kernel over one plugin directory whose plugins run in processes of their own. */
function seedKernel(root: string, plugins: string, images: string): Promise<Kernel> {
  const modules = Object.fromEntries(
    ['@backplane/sdk', '@hypersdk/points', 'zod'].map((name) => [name, import.meta.resolve(name)]),
  )
  return createKernel({
    host: { name: 'hypervisord', api: '1.0.0' },
    points: [provider],
    sources: [directory(plugins, { store: join(root, 'store'), watch: false, dialects: [seedDialect()] })],
    runtimes: [confined({ modules })],
    policy: { isolation: () => ({ floor: 'process' }) },
    settings: () => ({ variables: { instances: { one: { metadata: { directory: images } } } } }),
    dataDirectory: join(root, 'data'),
    log: { write: () => undefined },
  })
}
