import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test, type TestContext } from 'node:test'
import { acceptManifest, type Kernel } from '@backplane/kernel'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { Subject, Verdict } from '@backplane/trust'
import { installedKernel, saidBy } from '../../fixtures/installed-kernel.ts'
import { npmRegistry, type NpmRegistry } from '../../fixtures/npm-registry.ts'
import { Installer, type Approvals } from '../../install/installer.ts'
import type { Change, Plan } from '../../install/plan.ts'
import { installed, type InstalledSource } from '../../lock/installed.ts'
import { npmFetcher } from './npm-fetcher.ts'

const { signal } = new AbortController()
const run = promisify(execFile)
const contributes = { 'demo.echo': { a: {} } }
const saying = (text: string): { readonly 'index.js': string } => ({
  'index.js': `export default { setup: (scope) => scope.provide({ id: 'demo.echo', kind: 'provider' }, 'a', { say: () => '${text}' }) }`,
})

interface Hosting {
  readonly registry: NpmRegistry
  readonly installer: Installer
  readonly places: { readonly lock: string; readonly store: string }
  readonly judged: Subject[]
  readonly plan: (...changes: readonly Change[]) => Promise<Plan>
  readonly apply: (plan: Plan, approvals?: Approvals) => Promise<unknown>
  readonly host: () => Promise<{ readonly kernel: Kernel; readonly source: InstalledSource }>
}

async function hosting(t: TestContext): Promise<Hosting> {
  const registry = await npmRegistry(t)
  const root = await temporaryDirectory(t)
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const judged: Subject[] = []
  const judge = (subject: Subject): Verdict => (judged.push(subject), { ok: true, trust: 'unsigned', rules: [] })
  const options = {
    fetchers: [npmFetcher({ registries: { '@acme': { url: registry.url } } })],
    judge,
    acceptManifest,
    hostApi: '1.0.0',
  }
  const installer = new Installer({ ...places, ...options, referenceOf: (id) => `npm:@${id}` })
  return {
    registry,
    installer,
    places,
    judged,
    plan: (...changes) => installer.plan(changes, { signal }),
    apply: (plan, approvals = {}) => installer.apply(plan, approvals, { signal }),
    host: async () => {
      const source = installed(places)
      const kernel = await installedKernel(source, judge)
      t.after(() => kernel[Symbol.asyncDispose]())
      return { kernel, source }
    },
  }
}

test('from a real registry: installed with what it needs, locked, run, updated once the new permission is approved', async (t) => {
  const { registry, installer, judged, plan, apply, host } = await hosting(t)
  await registry.publish({ name: '@acme/b' })
  const dependencies = [{ id: 'acme/b', range: '^1.0.0' }]
  await registry.publish({ name: '@acme/a', manifest: { contributes, dependencies }, files: saying('one') })
  await apply(await plan({ kind: 'add', reference: 'npm:@acme/a@^1' }))
  const { plugins } = await installer.lock()
  const artifact = plugins['acme/a']?.artifacts['any']
  assert.deepEqual(Object.keys(plugins).sort(), ['acme/a', 'acme/b'])
  assert.ok(artifact?.place.kind === 'npm' && artifact.place.registry === registry.url)
  assert.equal(artifact.archiveSha512, `sha512:${Buffer.from(artifact.place.integrity.slice(7), 'base64').toString('hex')}`)
  const { kernel } = await host()
  assert.equal(await saidBy(kernel), 'one')
  const [atInstall, atLoad] = [judged.find(({ id }) => id === 'acme/a'), judged.findLast(({ id }) => id === 'acme/a')]
  assert.notEqual(atInstall, atLoad)
  for (const name of ['archive', 'archiveSha512', 'publishedAtMs', 'source', 'digest'] as const) {
    assert.equal(atLoad?.[name], atInstall?.[name], name)
    assert.ok(atLoad?.[name] !== undefined, name)
  }

  const more = { contributes, dependencies, permissions: ['exec rclone'] }
  await registry.publish({ name: '@acme/a', version: '1.1.0', manifest: more, files: saying('two') })
  const update = await plan({ kind: 'update', id: 'acme/a' })
  await assert.rejects(apply(update), { code: 'INSTALL_UNAPPROVED', message: /exec rclone/ })
  await kernel.plugins.refresh()
  assert.equal(await saidBy(kernel), 'one', 'the version before goes on')
  await apply(update, { 'acme/a': ['exec rclone'] })
  await kernel.plugins.refresh()
  assert.equal(kernel.plugins.get('acme/a')?.version, '1.1.0')
  assert.equal(await saidBy((await host()).kernel), 'two')
})

test('a tag that moved changes nothing that is locked, and is followed by an update only', async (t) => {
  const { registry, installer, places, plan, apply } = await hosting(t)
  await registry.publish({ name: '@acme/a', manifest: { contributes }, files: saying('one') })
  await apply(await plan({ kind: 'add', reference: 'npm:@acme/a@latest' }))
  await registry.publish({ name: '@acme/a', version: '2.0.0', manifest: { contributes }, files: saying('evil') })
  await rm(places.store, { recursive: true })
  assert.deepEqual(await new Installer({ ...optionsOf(registry), ...places }).restore({ signal }), ['acme/a'])
  assert.equal((await installer.lock()).plugins['acme/a']?.version, '1.0.0')
  assert.deepEqual(
    (await plan({ kind: 'update' })).steps.map(({ kind, version }) => [kind, version]),
    [['update', '2.0.0']],
  )
})

test('a tarball that was changed is not installed and not restored, and nothing of it is kept', async (t) => {
  const { registry, installer, places, plan, apply } = await hosting(t)
  await registry.publish({ name: '@acme/a', manifest: { contributes }, files: saying('one') })
  const tarball = join(registry.storage, '@acme/a/a-1.0.0.tgz')
  await apply(await plan({ kind: 'add', reference: 'npm:@acme/a' }))
  await rm(places.store, { recursive: true })
  await rm(tarball)
  await assert.rejects(installer.restore({ signal }), { code: 'FETCH_NOT_FOUND' })
  await writeFile(tarball, 'evil')
  await assert.rejects(installer.restore({ signal }), { code: 'FETCH_CHANGED' })
  assert.equal((await installer.verify(signal)).length, 1)
  const about = join(registry.storage, '@acme/a/package.json')
  await writeFile(about, (await readFile(about, 'utf8')).replaceAll(/sha512-.{8}/g, 'sha512-AAAAAAAA'))
  await assert.rejects(plan({ kind: 'update' }), {
    code: 'FETCH_CHANGED',
    message: /version 1\.0\.0 is sha512-AAAAAAAA.* there, not/,
  })
})

test('a locked set starts with no network and no registry', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const { registry, places, plan, apply } = await hosting(t)
  await registry.publish({ name: '@acme/a', manifest: { contributes }, files: saying('one') })
  await apply(await plan({ kind: 'add', reference: 'npm:@acme/a' }))
  const script = fileURLToPath(import.meta.resolve('../../fixtures/locked-host.ts'))
  const node = [process.execPath, '--conditions=@backplane/source', script, places.lock, places.store, registry.url]
  const { stdout } = await run('bwrap', ['--dev-bind', '/', '/', '--unshare-net', '--die-with-parent', ...node])
  assert.deepEqual(JSON.parse(stdout), { said: 'one', isReached: false })
  await registry.stop()
  await assert.rejects(plan({ kind: 'update' }), { code: 'FETCH_UNREACHABLE' })
})

function optionsOf({ url }: NpmRegistry): Omit<ConstructorParameters<typeof Installer>[0], 'lock' | 'store'> {
  const judge = (): Verdict => ({ ok: true, trust: 'unsigned', rules: [] })
  return { fetchers: [npmFetcher({ registries: { '@acme': { url } } })], judge, acceptManifest, hostApi: '1.0.0' }
}
