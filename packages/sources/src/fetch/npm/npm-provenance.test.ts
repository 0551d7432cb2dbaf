import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest, createKernel, type Kernel } from '@backplane/kernel'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { judge, type Signer, type Subject, type Verdict } from '@backplane/trust'
import { createAdmission } from '../../admission/create-admission.ts'
import { buildIdentity } from '../../fixtures/build-identity.ts'
import { importingRuntime } from '../../fixtures/importing-runtime.ts'
import { integrityOf, packageArchive } from '../../fixtures/package-archive.ts'
import { json, serving, type Serving } from '../../fixtures/serving.ts'
import { Installer } from '../../install/installer.ts'
import { installed } from '../../lock/installed.ts'
import { npmFetcher, type NpmFetcherOptions } from './npm-fetcher.ts'

const { signal } = new AbortController()
const point = defineProvider('demo.echo', { say: unary(anything, anything) })
const code = `export default { setup: (scope) => scope.provide({ id: 'demo.echo', kind: 'provider' }, 'a', { say: () => 'built' }) }`
const tarball = packageArchive(
  's3',
  { contributes: { 'demo.echo': { a: {} } } },
  { 'index.js': code, 'package.json': '{"type":"module"}' },
)
const build = await buildIdentity()
/** The real verdict, for who trusts this one build. */
const judgedBy =
  (signer: Signer) =>
  (subject: Subject): Verdict =>
    judge(subject, { sigstore: build.policy, publishers: [{ name: 'Acme', ids: 'acme/*', signers: [signer] }] }, Date.now())

/** A registry of npm's kind, whose attestations lie beside its packages. */
async function registryWith(t: TestContext, attestations: unknown): Promise<Serving> {
  const server = await serving(t, () => {})
  const dist = {
    tarball: `${server.url}s3.tgz`,
    integrity: integrityOf(tarball),
    ...(attestations === undefined ? {} : { attestations: { url: `${server.url}-/npm/v1/attestations/@acme%2fs3@1.0.0` } }),
  }
  const versions = { '1.0.0': { name: '@acme/s3', version: '1.0.0', dist } }
  server.answer = (request, response) => {
    if (request.url === '/s3.tgz') return response.end(tarball)
    if (request.url?.startsWith('/-/') === true) return json(attestations)(request, response)
    return json({ name: '@acme/s3', 'dist-tags': { latest: '1.0.0' }, versions })(request, response)
  }
  return server
}

interface Places {
  readonly lock: string
  readonly store: string
}

async function install(t: TestContext, { url }: Serving, more: Partial<NpmFetcherOptions> = {}): Promise<Places> {
  const root = await temporaryDirectory(t)
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const fetchers = [npmFetcher({ registries: { '@acme': { url } }, limits: { retryDelaysMs: [] }, ...more })]
  const installer = new Installer({ ...places, fetchers, judge: judgedBy(build.signer), acceptManifest, hostApi: '1.0.0' })
  await installer.apply(await installer.plan([{ kind: 'add', reference: 'npm:@acme/s3' }], { signal }), {}, { signal })
  return places
}

async function start(t: TestContext, places: Places, signer: Signer = build.signer): Promise<Kernel> {
  const source = installed(places)
  const kernel = await createKernel({
    host: { name: 'demo', api: '1.0.0' },
    points: [point],
    sources: [source],
    runtimes: [importingRuntime()],
    policy: { tier: () => 'trusted' },
    watch: false,
    admission: createAdmission({ judge: judgedBy(signer), installed: source }),
  })
  t.after(() => kernel[Symbol.asyncDispose]())
  return kernel
}

test('provenance of npm is about the tarball, and is judged when it is installed and at every start', async (t) => {
  const registry = await registryWith(t, { attestations: [{ predicateType: 'x', bundle: await build.provenanceOf(tarball) }] })
  const places = await install(t, registry)
  const kernel = await start(t, places)
  assert.equal(await kernel.provider(point, 'a').say('x'), 'built')
  assert.deepEqual(kernel.plugins.get('acme/s3')?.trust, { level: 'signed', waived: [], publisher: 'Acme' })
  await kernel[Symbol.asyncDispose]()

  const other = await start(t, places, {
    issuer: 'https://token.actions.example.org',
    identity: 'https://git.example.org/evil/*',
  })
  await assert.rejects(other.provider(point, 'a').say('x'), { code: 'PLUGIN_UNAVAILABLE', message: /is refused/ })
  await other[Symbol.asyncDispose]()

  const lock = await readFile(places.lock, 'utf8')
  await writeFile(places.lock, lock.replace(/"sha512:[0-9a-f]{8}/, '"sha512:00000000'))
  const { packages, problems } = await installed(places).list(signal)
  assert.deepEqual([packages.length, problems.length], [0, 1], 'a lock is not believed about the archive')
})

test('without provenance, with that of another tarball, or with none where the registry promised it, nothing is installed', async (t) => {
  await assert.rejects(install(t, await registryWith(t, undefined)), { code: 'INSTALL_REFUSED' })
  const other = { attestations: [{ bundle: await build.provenanceOf(Buffer.of(1)) }, { bundle: 7 }, 'nothing'] }
  await assert.rejects(install(t, await registryWith(t, other)), { code: 'INSTALL_REFUSED', message: /about other bytes/ })
  await assert.rejects(install(t, await registryWith(t, { attestations: 'none' })), { code: 'FETCH_RESPONSE_INVALID' })
  await assert.rejects(install(t, await registryWith(t, other), { attestationBytes: 100 }), { code: 'FETCH_TOO_LARGE' })
})
