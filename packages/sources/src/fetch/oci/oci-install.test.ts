import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { generateKey, judge as decide, readPolicy, signPackage, type Subject, type Verdict } from '@backplane/trust'
import { openBundle } from '../../bundle/open-bundle.ts'
import { contributes, installingHost, saying, type InstallingHost } from '../../fixtures/installing-host.ts'
import { packageInArchive } from '../package-in-archive.ts'
import { packed, registryOnDisk, type RegistryOnDisk } from './fixtures/oci-registry-on-disk.ts'
import { ociFetcher, type OciFetcherOptions } from './oci-fetcher.ts'
import { pushPackage, type PackageToPush } from './push-package.ts'

const { signal } = new AbortController()
const envelope = { payloadType: 'application/vnd.in-toto+json', payload: '', signatures: [] }

interface Ground {
  readonly registry: RegistryOnDisk
  readonly name: string
  readonly options: OciFetcherOptions
  readonly host: InstallingHost
  readonly push: (published: PackageToPush, tag?: string) => Promise<string>
}

async function ground(t: TestContext): Promise<Ground | undefined> {
  if (!requireProgram(t, 'docker-registry', 'docker-registry')) return undefined
  const registry = await registryOnDisk(t)
  const options = { registries: { [registry.host]: { url: registry.url } } }
  const name = `oci:${registry.host}/acme/s3`
  const host = await installingHost(t, [ociFetcher(options)])
  const push: Ground['push'] = async (published, tag = '') =>
    (await pushPackage(`${name}${tag}`, published, options, { signal })).digest
  return { registry, name, options, host, push }
}

const one = (version: string, text: string, more: object = {}): Buffer => packed(version, { contributes, ...more }, saying(text))

test('from a registry: added, locked to a digest, started, updated once a permission is approved, started without it', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { registry, name, host, push } = here
  const digest = await push({ archives: { any: one('1.0.0', 'one') }, attestations: [envelope] })
  await host.apply(await host.plan({ kind: 'add', reference: `${name}:^1` }))
  const artifact = (await host.installer.lock()).plugins['acme/s3']?.artifacts['any']
  assert.deepEqual(artifact?.place, { kind: 'oci', reference: `${registry.host}/acme/s3`, digest })
  assert.equal(await host.said(), 'one')
  const [atInstall, atStart] = [host.judged[0], host.judged.at(-1)]
  for (const each of ['source', 'digest', 'archive', 'archiveSha512', 'publishedAtMs'] as const) {
    assert.ok(atStart?.[each] !== undefined, each)
    assert.equal(atStart[each], atInstall?.[each], each)
  }
  assert.deepEqual(
    atStart?.attestations.map(({ content }) => content),
    [envelope],
  )

  await push({ archives: { any: one('1.1.0', 'two', { permissions: ['exec rclone'] }) } })
  const update = await host.plan({ kind: 'update', id: 'acme/s3' })
  await assert.rejects(host.apply(update), { code: 'INSTALL_UNAPPROVED' })
  assert.equal(await host.said(), 'one')
  await host.apply(update, { 'acme/s3': ['exec rclone'] })
  await registry.stop()
  assert.equal(await host.said(), 'two')
})

test('a locked package starts where there is no network at all', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const here = await ground(t)
  if (here === undefined) return
  const { name, host, push, registry } = here
  await push({ archives: { any: one('1.0.0', 'one') } })
  await host.apply(await host.plan({ kind: 'add', reference: name }))
  assert.deepEqual(await host.saidWithoutNetwork(registry.url), { said: 'one', isReached: false })
})

test('a tag that moves between plan and apply changes nothing that was planned; afterwards no plan follows it', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { name, host, push } = here
  await push({ archives: { any: one('1.0.0', 'one') } }, ':stable')
  const plan = await host.plan({ kind: 'add', reference: `${name}:stable` })
  await push({ archives: { any: one('1.0.0', 'evil') } }, ':stable')
  await host.apply(plan)
  assert.equal(await host.said(), 'one')
  await assert.rejects(host.plan({ kind: 'update' }), {
    code: 'FETCH_CHANGED',
    message: /version 1\.0\.0 is sha256:.*, which was locked/,
  })
  await rm(host.places.store, { recursive: true })
  assert.deepEqual(await host.installer.restore({ signal }), ['acme/s3'])
  assert.equal(await host.said(), 'one')
})

test('a package with one archive for each platform is locked for all of them, and each restores its own', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { name, host, push, options } = here
  const own = `${process.platform}-${process.arch}`
  await push({ archives: { [own]: one('1.0.0', 'own'), 'plan9-mips': one('1.0.0', 'other') } })
  await host.apply(await host.plan({ kind: 'add', reference: name }))
  const artifacts = (await host.installer.lock()).plugins['acme/s3']?.artifacts ?? {}
  assert.deepEqual(Object.keys(artifacts).sort(), [own, 'plan9-mips'].sort())
  assert.equal(await host.said(), 'own')
  const elsewhere = host.with([ociFetcher({ ...options, platform: 'plan9-mips' })], 'plan9-mips')
  assert.deepEqual(await elsewhere.restore({ signal }), ['acme/s3'])
  assert.deepEqual(await elsewhere.verify(signal), [])
  const nowhere = host.with([ociFetcher({ ...options, platform: 'plan9-sparc' })], 'plan9-sparc')
  await assert.rejects(nowhere.plan([{ kind: 'add', reference: name }], { signal }), { code: 'FETCH_NOT_FOUND' })
})

test('a signature beside the package is what a strict policy takes it by, and one of somebody else is not', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { name, push, options } = here
  const [acme, mallory] = [generateKey(), generateKey()]
  const policy = readPolicy({
    keys: { acme: { publicKey: acme.publicKey } },
    publishers: [{ name: 'Acme', ids: 'acme/*', signers: [{ key: 'acme' }] }],
  })
  const judge = (subject: Subject): Verdict => decide(subject, policy, Date.now())
  const strict = await installingHost(t, [ociFetcher(options)], judge)
  const bytes = one('1.0.0', 'one')
  const { tree, archive } = await packageInArchive(bytes, { place: 'here', topFolder: 'strip', signal })
  const subject = { id: 'acme/s3', version: '1.0.0', digest: tree.digest, archive, signedAtMs: Date.now() }
  const archives = { any: bytes }
  await push({ archives })
  await assert.rejects(strict.plan({ kind: 'add', reference: name }), { code: 'INSTALL_REFUSED' })
  await push({ archives, attestations: [signPackage(subject, mallory.privateKey)] })
  await assert.rejects(strict.plan({ kind: 'add', reference: name }), { code: 'INSTALL_REFUSED' })
  await push({ archives, attestations: [signPackage(subject, acme.privateKey)] })
  await strict.apply(await strict.plan({ kind: 'add', reference: name }))
  assert.equal((await strict.installer.lock()).plugins['acme/s3']?.publisher, 'Acme')
  assert.equal(await strict.said(), 'one')
})

test('the lock holds the digests of every platform, so each machine, and a bundle, has its own package of it', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { name, options, host, push } = here
  const text = (platform: string): Buffer => one('1.0.0', platform)
  await push({ archives: { 'linux-x64': text('for x64'), 'win32-arm64': text('for arm64') } })
  const linux = host.with([ociFetcher({ ...options, platform: 'linux-x64' })], 'linux-x64')
  await linux.apply(await linux.plan([{ kind: 'add', reference: `${name}:^1` }], { signal }), {}, { signal })
  const { artifacts = {} } = (await linux.lock()).plugins['acme/s3'] ?? {}
  assert.deepEqual(Object.keys(artifacts).sort(), ['linux-x64', 'win32-arm64'])
  assert.notEqual(artifacts['linux-x64']?.digest, artifacts['win32-arm64']?.digest)
  const bytes = await linux.bundle({ signal })
  await here.registry.stop()
  const windows = host.with([], 'win32-arm64')
  assert.deepEqual(
    (await windows.verify(signal)).map(({ digest }) => digest),
    [artifacts['win32-arm64']?.digest],
  )
  const bundle = await openBundle(bytes, { place: 'bundle:/both', signal })
  assert.deepEqual(await windows.from(bundle).installer.restore({ signal }), ['acme/s3'])
  assert.deepEqual(await windows.verify(signal), [])
  const mac = host.with([], 'darwin-arm64')
  const from = mac.from(bundle)
  await assert.rejects(from.installer.plan(from.changes, { signal }), { code: 'FETCH_NOT_FOUND' })
})
