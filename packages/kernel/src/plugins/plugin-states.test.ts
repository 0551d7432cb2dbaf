import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { definePlugin, type Migrate, type Scope } from '@backplane/sdk'
import { temporaryDirectory, testKernel, type InlinePlugin, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { memoryStore, type Store } from '../index.ts'
import { echo, points } from '../fixtures/demo-points.ts'

/** Adds its version to the list it keeps, and to a file; says both. `write` only writes. */
function noteTaker(version: string, stateVersion: number, migrate?: Migrate, setup?: (scope: Scope) => unknown): InlinePlugin {
  const module = definePlugin(
    async (scope) => {
      await setup?.(scope)
      const say = async (value: string): Promise<string> => {
        if (value === 'write') {
          const notes = ((await scope.state.get('notes')) as string[] | undefined) ?? []
          await scope.state.set('notes', [...notes, version])
          await writeFile(join(scope.directories.data, 'notes.txt'), version, { flag: 'a' })
        }
        const file = await readFile(join(scope.directories.data, 'notes.txt'), 'utf8').catch(() => '')
        return `${version}: ${JSON.stringify(await scope.state.get('notes'))} ${file}`
      }
      scope.provide(echo, 'notes', { say, count: async function* () {} })
    },
    migrate === undefined ? {} : { migrate },
  )
  return { manifest: { id: 'demo/notes', version, stateVersion, contributes: { 'demo.echo': { notes: {} } } }, module }
}

/** Puts what is stored into another form: each note with a mark. */
const mark: Migrate = async ({ state, directories, from, to }) => {
  const notes = ((await state.get('notes')) as string[] | undefined) ?? []
  await state.set(
    'notes',
    notes.map((note) => `${note}>${to}`),
  )
  await writeFile(join(directories.data, 'notes.txt'), `|${from}>${to}|`, { flag: 'a' })
}

interface Subject extends TestKernel {
  readonly dataDirectory: string
  readonly store: Store
}

async function subject(t: TestContext, options: TestKernelOptions = {}): Promise<Subject> {
  const dataDirectory = options.dataDirectory ?? (await temporaryDirectory(t))
  const store = options.store ?? memoryStore()
  const plugins = options.sources === undefined ? [noteTaker('1.0.0', 1)] : []
  const kernel = await testKernel({ points, plugins, ...options, dataDirectory, store })
  return Object.assign(kernel, { dataDirectory, store })
}

/** Another host over the same data. */
async function restart(t: TestContext, old: Subject): Promise<Subject> {
  await old.kernel[Symbol.asyncDispose]()
  const again = await subject(t, { dataDirectory: old.dataDirectory, store: old.store, sources: [old.source] })
  return Object.assign(again, { source: old.source })
}

const say = (t: TestKernel, what = 'read'): Promise<string> => t.kernel.provider(echo, 'notes').say(what)

async function update(t: TestKernel, plugin: InlinePlugin): Promise<void> {
  t.source.put(plugin)
  await t.kernel.plugins.refresh()
}

const directories = async (t: Subject): Promise<readonly string[]> =>
  (await readdir(join(t.dataDirectory, 'plugins', 'demo', 'notes'))).filter((name) => name.startsWith('data')).toSorted()

test('a version with another stateVersion migrates a copy, and what was stored before is kept', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  await update(s, noteTaker('2.0.0', 2, mark))
  assert.equal(await say(s, 'write'), '2.0.0: ["1.0.0>2","2.0.0"] 1.0.0|1>2|2.0.0')
  assert.equal(await s.store.get('plugin/demo/notes', 'notes'), '["1.0.0"]')
  assert.equal(await readFile(join(s.dataDirectory, 'plugins/demo/notes/data/notes.txt'), 'utf8'), '1.0.0')
  assert.deepEqual(await directories(s), ['data', 'data-2'])
})

test('a version with the same stateVersion goes on with the same state', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  await update(
    s,
    noteTaker('1.1.0', 1, () => assert.fail('there is nothing to migrate')),
  )
  assert.equal(await say(s, 'write'), '1.1.0: ["1.0.0","1.1.0"] 1.0.01.1.0')
})

test('a migration that fails leaves the old version with what it had, and nothing of the copy', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  const migrate: Migrate = async (migration) => {
    await mark(migration)
    throw new Error('half-way')
  }
  for (const [plugin, reason] of [
    [noteTaker('2.0.0', 2, migrate), /half-way/],
    [noteTaker('2.0.1', 2), /no migrate function/],
    [noteTaker('2.0.2', 2, mark, () => assert.fail('not set up')), /not set up/],
  ] as const) {
    await update(s, plugin)
    assert.match(s.kernel.plugins.get('notes')?.update?.failure.message ?? '', reason)
    assert.deepEqual(await directories(s), ['data'])
  }
  assert.equal(await say(s, 'write'), '1.0.0: ["1.0.0","1.0.0"] 1.0.01.0.0')
  await update(s, noteTaker('2.1.0', 2, mark))
  assert.equal(await say(s), '2.1.0: ["1.0.0>2","1.0.0>2"] 1.0.01.0.0|1>2|')
})

test('while a migration runs the old version answers, and what it writes waits and is then refused', async (t) => {
  const [began, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using s = await subject(t)
  await say(s, 'write')
  s.source.put(noteTaker('2.0.0', 2, async (migration) => (began.resolve(), await go.promise, mark(migration))))
  const refreshed = s.kernel.plugins.refresh()
  await began.promise
  assert.match(await say(s), /^1\.0\.0/)
  const writing = assert.rejects(say(s, 'write'), (error: { code: string; details?: { pluginCode?: string } }) => {
    return error.code === 'CALL_FAILED' && error.details?.pluginCode === 'STATE_REPLACED'
  })
  go.resolve()
  await refreshed
  await writing
  assert.match(await say(s), /^2\.0\.0: \["1\.0\.0>2"\]/)
})

test('what waited for a migration that fails is written', async (t) => {
  const [began, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  await using s = await subject(t)
  await say(s)
  s.source.put(noteTaker('2.0.0', 2, async () => (began.resolve(), await go.promise, assert.fail('after all'))))
  const refreshed = s.kernel.plugins.refresh()
  await began.promise
  const writing = say(s, 'write')
  go.resolve()
  await refreshed
  assert.equal(await writing, '1.0.0: ["1.0.0"] 1.0.0')
})

test('moved back, the old version has its state as it was; what the new one stored is removed', async (t) => {
  await using s = await subject(t, { times: { probationMs: 60_000 } })
  await say(s, 'write')
  await update(s, noteTaker('2.0.0', 2, mark))
  await say(s, 'write')
  s.runtime.crash('demo/notes', undefined, 2)
  await s.event('plugin.moved-back')
  assert.equal(await say(s), '1.0.0: ["1.0.0"] 1.0.0')
  assert.equal(await say(s, 'write'), '1.0.0: ["1.0.0","1.0.0"] 1.0.01.0.0')
  await using again = await restart(t, s)
  assert.deepEqual(await directories(s), ['data'])
  assert.deepEqual(await s.store.keys('plugin/demo/notes#2', ''), [])
  assert.match(await say(again), /^1\.0\.0: \["1\.0\.0","1\.0\.0"\]/)
})

test('rolled back by hand, the kept copy is used; going on again migrates it anew', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  await update(s, noteTaker('2.0.0', 2, mark))
  await say(s, 'write')
  await s.kernel.plugins.rollback('notes')
  assert.equal(await say(s, 'write'), '1.0.0: ["1.0.0","1.0.0"] 1.0.01.0.0')
  await s.kernel.plugins.rollback('notes', { to: '2.0.0' })
  assert.match(await say(s), /^2\.0\.0: \["1\.0\.0>2","1\.0\.0>2"\]/)
})

test('an older version in the source uses the copy that is kept, or is refused when there is none', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  await update(s, noteTaker('2.0.0', 2, mark))
  await update(s, noteTaker('1.0.1', 1))
  assert.match(await say(s), /^1\.0\.1: \["1\.0\.0"\]/)
  await update(s, noteTaker('2.0.1', 2, mark))
  await update(s, noteTaker('3.0.0', 3, mark))
  await update(s, noteTaker('1.0.2', 1))
  const failure = s.kernel.plugins.get('notes')?.update?.failure
  assert.equal(failure?.code, 'STATE_TOO_NEW')
  assert.match(failure.message, /stateVersion 3; this version reads 1/)
  assert.match(await say(s), /^3\.0\.0/)
  await s.kernel[Symbol.asyncDispose]()
  assert.equal((await directories(s)).length, 2, 'one copy back is kept')
})

test('a host that was down during the update migrates at the next start, once', async (t) => {
  let migrations = 0
  const migrate: Migrate = (migration) => ((migrations += 1), mark(migration))
  await using s = await subject(t)
  await say(s, 'write')
  s.source.put(noteTaker('2.0.0', 2, migrate))
  await using again = await restart(t, s)
  assert.match(await say(again, 'write'), /^2\.0\.0: \["1\.0\.0>2","2\.0\.0"\]/)
  await using third = await restart(t, again)
  assert.match(await say(third), /^2\.0\.0: \["1\.0\.0>2","2\.0\.0"\]/)
  assert.equal(migrations, 1)
})

test('a plugin that stored nothing yet has nothing to migrate', async (t) => {
  const s = await subject(t)
  s.source.put(noteTaker('5.0.0', 5, () => assert.fail('there is nothing')))
  await s.kernel.plugins.refresh()
  assert.match(await say(s, 'write'), /^5\.0\.0: \["5\.0\.0"\]/)
  await using again = await restart(t, s)
  assert.match(await say(again), /^5\.0\.0: \["5\.0\.0"\]/)
})

test('what cannot be copied fails the update, and the old version writes on', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  const data = join(s.dataDirectory, 'plugins/demo/notes/data')
  await rm(data, { recursive: true })
  await writeFile(data, 'no folder')
  await update(s, noteTaker('2.0.0', 2, mark))
  assert.equal(s.kernel.plugins.get('notes')?.update?.failure.code, 'STATE_COPY_FAILED')
  await rm(data)
  await assert.rejects(say(s, 'write'), /ENOENT/)
  assert.equal(await s.store.get('plugin/demo/notes', 'notes'), '["1.0.0","1.0.0"]')
})

test('what a killed host left half copied is removed before anything else', async (t) => {
  const s = await subject(t)
  await say(s, 'write')
  await s.kernel[Symbol.asyncDispose]()
  await s.store.set('plugin/demo/notes#2', 'notes', '["half"]')
  const slots = { current: { stateVersion: 1, name: '' }, leftovers: ['2'], next: 3 }
  await s.store.set('kernel', 'state/demo/notes', JSON.stringify(slots))
  s.source.put(noteTaker('2.0.0', 2, mark))
  await using again = await restart(t, s)
  assert.match(await say(again), /^2\.0\.0: \["1\.0\.0>2"\]/)
  assert.deepEqual(await s.store.keys('plugin/demo/notes#2', ''), [])
  assert.deepEqual(await directories(again), ['data', 'data-3'])
})

test('removing a plugin with its state removes every copy', async (t) => {
  await using s = await subject(t)
  await say(s, 'write')
  await update(s, noteTaker('2.0.0', 2, mark))
  await s.kernel.plugins.remove('notes')
  for (const namespace of ['plugin/demo/notes', 'plugin/demo/notes#2']) assert.deepEqual(await s.store.keys(namespace, ''), [])
  assert.deepEqual(await s.store.keys('kernel', 'state/'), [])
  await assert.rejects(directories(s), { code: 'ENOENT' })
})
