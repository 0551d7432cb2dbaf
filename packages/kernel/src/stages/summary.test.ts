import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inlineSource, testKernel, type InlinePlugin } from '@backplane/testing'
import { echo, echoPlugin, points } from '../fixtures/demo-points.ts'
import type { FoundPackage, ManifestSummary, PluginRecord, Source } from '../index.ts'

/** A source that remembers, and counts how often a whole manifest was asked for. */
class Remembering implements Source {
  readonly name = 'remembering'
  readonly origin = 'bundled'
  readonly summaries = new Map<string, ManifestSummary>()
  readonly #plugins: readonly InlinePlugin[]
  reads = 0

  constructor(...plugins: readonly InlinePlugin[]) {
    this.#plugins = plugins
  }

  readonly list: Source['list'] = async (signal) => {
    const { packages, problems } = await inlineSource(this.#plugins).list(signal)
    return { packages: packages.map((found) => this.#counted(found)), problems }
  }

  readonly remember: NonNullable<Source['remember']> = async (summaries) => {
    for (const [{ path }, summary] of summaries) this.summaries.set(path, JSON.parse(JSON.stringify(summary)) as ManifestSummary)
  }

  #counted(found: FoundPackage): FoundPackage {
    const read = (): unknown => {
      this.reads += 1
      return found.manifest
    }
    return {
      path: found.path,
      manifestPath: found.manifestPath,
      fingerprint: found.fingerprint,
      stage: found.stage,
      summary: this.summaries.get(found.path),
      get manifest() {
        return read()
      },
    }
  }
}

const api = (version: string): object => ({ host: { name: 'test-host', api: version } })

async function firstStart(...plugins: readonly InlinePlugin[]): Promise<Remembering> {
  const source = new Remembering(...plugins)
  const first = await testKernel({ points, sources: [source] })
  await first.kernel[Symbol.asyncDispose]()
  assert.equal(source.summaries.size, plugins.length)
  source.reads = 0
  return source
}

async function recordAfter(source: Remembering, options: object): Promise<PluginRecord> {
  await using t = await testKernel({ points, sources: [source], ...options })
  const record = t.kernel.plugins.get('demo/echo')
  assert.ok(record)
  return record
}

test('a start with summaries reads no manifest until somebody needs more of one, and all works as before', async () => {
  const manifest = {
    description: 'says it again',
    permissions: ['fs:read ./data'],
    dependencies: [{ id: 'demo/other', range: '^1' }],
  }
  const source = await firstStart(echoPlugin({ manifest }), echoPlugin({ id: 'demo/other' }))
  await using t = await testKernel({ points, sources: [source] })
  assert.deepEqual(
    t.kernel.report.plugins.map(({ state }) => state),
    ['idle', 'idle'],
  )
  assert.deepEqual(
    t.kernel.contributions(echo).map(({ name }) => name),
    ['echo', 'other'],
  )
  assert.equal(source.reads, 0)
  assert.equal(await t.kernel.provider(echo, 'echo').say('a'), '1.0.0 a')
  const record = t.kernel.plugins.get('demo/echo')
  assert.equal(record?.manifest?.description, 'says it again')
  assert.equal(record.manifest.main, 'index.js')
  assert.equal(t.kernel.plugins.get('demo/other')?.state.name, 'active')
  assert.equal((await t.kernel.plugins.reload('demo/echo')).state.name, 'active')
})

test('what depends on the host is decided anew: its API, its policy, its points', async () => {
  const manifest = { requires: { api: '^1.0.0' } }
  const source = await firstStart(echoPlugin({ manifest }))
  const incompatible = await recordAfter(source, api('2.0.0'))
  assert.ok(incompatible.state.name === 'failed' && incompatible.state.failure.code === 'API_INCOMPATIBLE')
  assert.deepEqual(incompatible.manifest?.requires, manifest.requires)
  assert.equal((await recordAfter(source, { policy: { deny: ['echo'] } })).state.name, 'disabled')
  assert.match((await recordAfter(source, { points: [] })).notes.join(), /no point demo\.echo/)
})

test('a summary made under other rules says nothing', async () => {
  const source = await firstStart(echoPlugin())
  for (const [path, summary] of source.summaries) source.summaries.set(path, { ...summary, rules: 'of another version' })
  assert.equal((await recordAfter(source, {})).state.name, 'idle')
  assert.ok(source.reads > 0)
})

const lies: Readonly<Record<string, object>> = {
  'breaks a rule': { permissions: ['fs:delete /'] },
  'is of another plugin': { id: 'demo/stranger' },
  'is for another host': { requires: { api: '^9' } },
}

for (const [title, fields] of Object.entries(lies)) {
  test(`a manifest that ${title}, whatever its summary says, does not start`, async () => {
    let ran = false
    const honest = await firstStart(echoPlugin())
    const plugin = echoPlugin({ manifest: fields })
    const source = new Remembering({ ...plugin, setup: () => void (ran = true) })
    const [summary] = honest.summaries.values()
    assert.ok(summary)
    source.summaries.set(`/inline/${plugin.manifest.id}`, summary)
    await using t = await testKernel({ points, sources: [source] })
    assert.equal(t.kernel.plugins.get('demo/echo')?.state.name, 'idle')
    assert.equal((await t.kernel.plugins.start('demo/echo')).state.name, 'failed')
    assert.ok(!ran)
  })
}

test('packages that are refused are not remembered; a source that cannot remember is only logged', async () => {
  const source = new Remembering(echoPlugin({ manifest: { permissions: ['nonsense'] } }), echoPlugin({ id: 'demo/good' }))
  const t = await testKernel({ points, sources: [source] })
  await t.kernel[Symbol.asyncDispose]()
  assert.deepEqual([...source.summaries.keys()], ['/inline/demo/good'])
  const broken: Source = { ...inlineSource([echoPlugin()]), remember: () => Promise.reject(new Error('disk full')) }
  const other = await testKernel({ points, sources: [broken] })
  await other.kernel[Symbol.asyncDispose]()
  assert.ok(other.lines.some(({ message }) => message.includes('could not remember its manifests: disk full')))
})
