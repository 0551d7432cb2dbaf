import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { access, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { npmRegistry, type NpmRegistry } from '../../fixtures/npm-registry.ts'
import type { AvailableVersion, Fetcher } from '../fetcher.ts'
import { npmFetcher } from './npm-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }

const versionsOf = async (fetcher: Fetcher, reference: string): Promise<readonly string[]> =>
  (await fetcher.versions(reference, options)).map(({ version }) => version)

async function first(fetcher: Fetcher, reference: string): Promise<AvailableVersion> {
  const [best] = await fetcher.versions(reference, options)
  return best ?? assert.fail('no version')
}

const open = ({ url }: NpmRegistry): Fetcher => npmFetcher({ registries: { '@acme': { url } } })

test('a real registry: ranges, tags, what is deprecated, and when it was published', async (t) => {
  const registry = await npmRegistry(t)
  const fetcher = open(registry)
  const before = Date.now()
  await registry.publish({ name: '@acme/s3', version: '1.0.0' })
  await registry.publish({ name: '@acme/s3', version: '1.1.0' })
  await registry.publish({ name: '@acme/s3', version: '2.0.0-beta.1', tag: 'next' })
  const [newest] = await fetcher.versions('npm:@acme/s3', options)
  assert.ok((newest?.publishedAtMs ?? 0) >= before && (newest?.publishedAtMs ?? 0) <= Date.now())
  assert.deepEqual(await versionsOf(fetcher, 'npm:@acme/s3'), ['1.1.0', '1.0.0'])
  assert.deepEqual(await versionsOf(fetcher, 'npm:@acme/s3@^1.1'), ['1.1.0'])
  assert.deepEqual(await versionsOf(fetcher, 'npm:@acme/s3@next'), ['2.0.0-beta.1'])
  assert.deepEqual(await versionsOf(fetcher, 'npm:@acme/s3@>=2.0.0-0'), ['2.0.0-beta.1'])
  await assert.rejects(fetcher.versions('npm:@acme/s3@^3', options), {
    code: 'FETCH_NOT_FOUND',
    message: 'npm:@acme/s3 leads to nothing: its newest version is 2.0.0-beta.1, which does not fit',
  })
  await assert.rejects(fetcher.versions('npm:@acme/s3@nxt', options), { message: /no tag nxt; it has latest, next/ })
  await assert.rejects(fetcher.versions('npm:@acme/s4', options), { code: 'FETCH_NOT_FOUND' })

  await registry.npm('dist-tag', 'add', '@acme/s3@1.0.0', 'latest')
  assert.deepEqual(await versionsOf(fetcher, 'npm:@acme/s3'), ['1.0.0', '1.1.0'], 'what the publisher calls latest comes first')
  await registry.npm('deprecate', '@acme/s3@1.0.0', 'it loses data')
  const all = await fetcher.versions('npm:@acme/s3', options)
  assert.deepEqual(
    all.map(({ version, deprecated }) => [version, deprecated]),
    [
      ['1.1.0', undefined],
      ['1.0.0', 'it loses data'],
    ],
  )
})

test('a package of a real registry is what lay in its folder, by its digests, and none of its scripts ran', async (t) => {
  const registry = await npmRegistry(t)
  await registry.publish({ name: '@acme/s3', files: { 'lib/a.js': 'a()', '.backplane/acme.json': '{"a":1}' } })
  const fetcher = open(registry)
  const { place, version } = await first(fetcher, 'npm:@acme/s3')
  const fetched = await fetcher.fetch(place, options)
  assert.equal(version, '1.0.0')
  assert.deepEqual(fetched.tree.files.map(({ path }) => path).sort(), ['index.js', 'lib/a.js', 'package.json', 'plugin.json'])
  assert.equal(Reflect.get(Object(fetched.manifest), 'id'), 'acme/s3')
  const tarball = await readFile(join(registry.storage, '@acme/s3/s3-1.0.0.tgz'))
  assert.equal(fetched.archive, `sha256:${hash('sha256', tarball)}`)
  assert.equal(fetched.archiveSha512, `sha512:${hash('sha512', tarball)}`)
  assert.deepEqual(fetched.attestations, [{ file: '.backplane/acme.json', content: { a: 1 } }])
  await assert.rejects(access(join(dirname(registry.storage), 'a-script-ran')))
  const again = await npmFetcher({ registries: { '@acme': { url: registry.url } } }).fetch({ ...place }, options)
  assert.equal(again.tree.digest, fetched.tree.digest, 'what the lock keeps is enough')
})

test('a tarball that was changed at the registry is refused, and so is one that the registry says another digest of', async (t) => {
  const registry = await npmRegistry(t)
  await registry.publish({ name: '@acme/s3' })
  const fetcher = open(registry)
  const { place } = await first(fetcher, 'npm:@acme/s3')
  assert.ok(place.kind === 'npm')
  const about = join(registry.storage, '@acme/s3/package.json')
  const said = await readFile(about, 'utf8')
  await writeFile(about, said.replaceAll(place.integrity, `sha512-${'A'.repeat(86)}==`))
  await assert.rejects(fetcher.fetch({ ...place }, options), { code: 'FETCH_CHANGED', message: /registry gives another SHA-512/ })
  await assert.rejects(fetcher.fetch((await first(fetcher, 'npm:@acme/s3')).place, options), { code: 'FETCH_CHANGED' })
  await writeFile(about, said)
  await writeFile(join(registry.storage, '@acme/s3/s3-1.0.0.tgz'), 'something else')
  await assert.rejects(fetcher.fetch({ ...place }, options), {
    code: 'FETCH_CHANGED',
    message: 'npm:@acme/s3@1.0.0 is not what it was: its tarball has another SHA-512 than it must have',
  })
})

test('a private registry is asked with credentials, each time anew, and denies without', async (t) => {
  const registry = await npmRegistry(t)
  await registry.publish({ name: '@secret/s3' })
  const { url } = registry
  const without = npmFetcher({ registries: { '@secret': { url } } })
  await assert.rejects(without.versions('npm:@secret/s3', options), { code: 'FETCH_DENIED', message: /it answers 401/ })
  let asked = 0
  const bearer = (): { kind: 'bearer'; token: string } => ((asked += 1), { kind: 'bearer', token: registry.token })
  const basic = { kind: 'basic', ...registry.user } as const
  for (const credential of [bearer, () => basic]) {
    const fetcher = npmFetcher({ registries: { '@secret': { url, credential } } })
    const { place } = await first(fetcher, 'npm:@secret/s3')
    assert.equal((await fetcher.fetch(place, options)).tree.files.length, 3)
  }
  assert.equal(asked, 2)
})

test('a scope is asked of its own registry and of no other, whoever else has a package of that name', async (t) => {
  const [own, other] = [await npmRegistry(t), await npmRegistry(t)]
  await other.publish({ name: '@acme/s3', version: '9.9.9' })
  const fetcher = npmFetcher({ registries: { '@acme': { url: own.url }, '*': { url: other.url } } })
  await assert.rejects(fetcher.versions('npm:@acme/s3', options), { code: 'FETCH_NOT_FOUND' })
  const [there] = await npmFetcher({ registries: { '*': { url: other.url } } }).versions('npm:@acme/s3', options)
  await assert.rejects(fetcher.fetch(there?.place ?? assert.fail(), options), { code: 'FETCH_ADDRESS_REFUSED' })
  for (const reference of ['npm:@other/s3', 'npm:s3']) {
    await assert.rejects(open(own).versions(reference, options), { code: 'FETCH_ADDRESS_REFUSED', message: /no registry for/ })
  }
})

const wrong = [
  'npm:',
  'npm:../../etc',
  'npm:@acme',
  'npm:@Acme/S3',
  'npm:@acme/../s3',
  'npm:@acme%2fs3',
  'npm:s3@',
  'npm:s3@file:/etc',
]

test('what is no reference of npm is refused before anybody is asked', async () => {
  const fetcher = npmFetcher({ registries: { '*': { url: 'https://registry.example.org' } } })
  for (const reference of [...wrong, 'npm:s3@https://evil.example', 'npm:s3@.', 'npm:a b', `npm:${'a'.repeat(300)}`]) {
    await assert.rejects(fetcher.versions(reference, options), { code: 'FETCH_REFERENCE_INVALID' }, reference)
  }
  assert.throws(() => npmFetcher({ registries: { acme: { url: 'https://registry.example.org' } } }), {
    code: 'FETCH_REFERENCE_INVALID',
  })
})
