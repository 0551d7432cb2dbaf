import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PinnedPlace } from '../fetcher.ts'
import { first, layerOf, ociGround, taken } from './fixtures/oci-ground.ts'
import { inFrontOf, packed } from './fixtures/oci-registry-on-disk.ts'
import { indexType, manifestType } from './media-types.ts'
import { ociFetcher } from './oci-fetcher.ts'
import type { Descriptor } from './oci-manifest.ts'
import { referrersTag } from './referrers.ts'

const { signal } = new AbortController()
const options = { signal }
const envelope = (text: string): object => ({ payloadType: 'application/vnd.in-toto+json', payload: text, signatures: [] })

test('a package that was published is found by its version, pinned by a digest and fetched whole', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const { fetcher, name, registry } = here
  const archive = packed('1.2.3')
  const createdAtMs = Date.parse('2026-11-01T12:00:00Z')
  const digest = await here.push({ archive, createdAtMs })
  const place: PinnedPlace = { kind: 'oci', reference: `${registry.host}/acme/s3`, digest }
  for (const asked of [name, `${name}:1.2.3`, `${name}:^1`, `${name}@${digest}`]) {
    const found = await first(fetcher, asked)
    assert.deepEqual([found.version, found.place, found.publishedAtMs], ['1.2.3', place, createdAtMs], asked)
  }
  const fetched = await fetcher.fetch(place, options)
  assert.deepEqual(
    fetched.tree.files.map(({ path }) => path),
    ['plugin.json', 'index.js'],
  )
  assert.equal(fetched.archive, (await layerOf(here, '1.2.3')).digest)
  assert.deepEqual([fetched.publishedAtMs, fetched.platforms, fetched.attestations], [createdAtMs, undefined, []])
})

test('what was written down is what is there: neutral types, one layer, plugin.json as config', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  await here.push({})
  const answer = await fetch(`${here.registry.url}v2/acme/s3/manifests/1.0.0`, { headers: { accept: manifestType } })
  const manifest = (await answer.json()) as Readonly<Record<string, unknown>>
  assert.equal(answer.headers.get('content-type'), manifestType)
  assert.deepEqual(
    [manifest['artifactType'], Reflect.get(Object(manifest['config']), 'mediaType')],
    ['application/vnd.backplane.plugin.v1', 'application/vnd.backplane.plugin.manifest.v1+json'],
  )
  const [layer] = manifest['layers'] as readonly Descriptor[]
  assert.equal(layer?.mediaType, 'application/vnd.backplane.plugin.package.v1.tar+gzip')
})

test('a range is over the tags that are versions, over all pages, best first', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const { name, fetcher } = here
  for (const version of ['1.2.0', '1.10.0', '2.0.0', '2.1.0-rc.1', '1.11.0+build.7'])
    await here.push({ archive: packed(version) })
  await here.push({ archive: packed('9.0.0') }, ':latest')
  const versions = async (range: string, from = fetcher): Promise<readonly string[]> =>
    (await from.versions(`${name}${range}`, options)).map(({ version }) => version)
  assert.deepEqual(await versions(''), ['2.0.0', '1.11.0+build.7', '1.10.0', '1.2.0'])
  assert.deepEqual(await versions(':^1'), ['1.11.0+build.7', '1.10.0', '1.2.0'])
  assert.deepEqual(await versions(':^7'), [])
  assert.deepEqual(await versions(':latest'), ['9.0.0'])
  const few = ociFetcher(here.with({}, { ociLimits: { versions: 2 } }))
  assert.deepEqual(await versions('', few), ['2.0.0', '1.11.0+build.7'])
  const fewer = ociFetcher(here.with({}, { ociLimits: { tags: 3 } }))
  await assert.rejects(versions('', fewer), { code: 'FETCH_TOO_LARGE', message: /3 tags/ })

  const listed = await fetch(`${here.registry.url}v2/acme/s3/tags/list`)
  const tags = (Reflect.get(Object(await listed.json()), 'tags') as readonly string[]).toSorted()
  const front = await inFrontOf(t, here.registry, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server')
    if (!pathname.endsWith('/tags/list')) return false
    const rest = tags.filter((tag) => tag > (searchParams.get('last') ?? ''))
    if (rest.length > 2) response.setHeader('link', `<${pathname}?n=2&last=${rest[1]}>; rel="next"`)
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ name: 'acme/s3', tags: rest.slice(0, 2) }))
    return true
  })
  const paged = ociFetcher({ registries: { [here.registry.host]: { url: front.url } } })
  assert.deepEqual(await versions('', paged), await versions(''))
  assert.ok(front.asked.filter(({ url }) => url?.includes('/tags/list') === true).length > 2)
})

test('what others say comes with the package, from the list under a tag where the registry has none of its own', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const { name, fetcher } = here
  const bundle = { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', dsseEnvelope: {} }
  const digest = await here.push({ attestations: [envelope('one')] })
  assert.equal(await here.push({ attestations: [envelope('one'), bundle] }), digest)
  const { attestations } = await taken(fetcher, name)
  assert.deepEqual(
    attestations.map(({ content }) => content),
    [envelope('one'), bundle],
  )
  assert.ok(attestations.every(({ file }) => file.startsWith(`${name}@sha256:`)))
  const one = ociFetcher(here.with({}, { ociLimits: { attestations: 1 } }))
  assert.equal((await taken(one, name)).attestations.length, 1)
  const small = ociFetcher(here.with({}, { ociLimits: { attestationBytes: 20 } }))
  await assert.rejects(taken(small, name), { code: 'FETCH_TOO_LARGE', message: /20 bytes/ })
})

test('a registry that lists referrers is asked for its list, and what is about something else is left out', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const other = await here.push({ archive: packed('0.9.0'), attestations: [envelope('other')] })
  const digest = await here.push({ attestations: [envelope('own')] })
  const tags = [referrersTag(digest), referrersTag(other)]
  const lists = await Promise.all(
    tags.map((tag) => fetch(`${here.registry.url}v2/acme/s3/manifests/${tag}`, { headers: { accept: indexType } })),
  )
  const manifests = (await Promise.all(lists.map((answer) => answer.json()))).flatMap(
    (list) => Reflect.get(Object(list), 'manifests') as readonly Descriptor[],
  )
  const unrelated = { ...manifests[0], artifactType: 'application/vnd.example.sbom' }
  const front = await inFrontOf(t, here.registry, (request, response) => {
    if (request.url?.includes('/referrers/') !== true) return false
    const list = { schemaVersion: 2, mediaType: indexType, manifests: [unrelated, ...manifests] }
    response.setHeader('content-type', indexType).end(JSON.stringify(list))
    return true
  })
  const fetcher = ociFetcher({ registries: { [here.registry.host]: { url: front.url } } })
  const { attestations } = await taken(fetcher, `${here.name}:1.0.0`)
  assert.deepEqual(
    attestations.map(({ content }) => content),
    [envelope('own')],
  )
  assert.ok(!front.asked.some(({ url }) => url?.includes('manifests/sha256-') === true))
})
