import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { serving } from '../../fixtures/serving.ts'
import type { PinnedPlace } from '../fetcher.ts'
import { first, layerOf, ociGround, taken } from './fixtures/oci-ground.ts'
import { inFrontOf, packed } from './fixtures/oci-registry-on-disk.ts'
import { attestationTypeOf, indexType, manifestType, packageArtifact, packageConfig, packageLayer } from './media-types.ts'
import { ociFetcher } from './oci-fetcher.ts'
import { readManifestText } from './oci-manifest.ts'
import { bytesOf, descriptorOf, upload } from './upload.ts'

const { signal } = new AbortController()
const options = { signal }

test('bytes that were changed in the registry are refused, in blobs and in manifests, and so are those that are gone', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const { fetcher, name, registry } = here
  const digest = await here.push({})
  const place = (await first(fetcher, name)).place
  const layer = await layerOf(here)
  const damaged = async (of: string, change: (bytes: Buffer) => Uint8Array, expected: object): Promise<void> => {
    const file = registry.blobFile(of)
    const bytes = await readFile(file)
    await writeFile(file, change(Buffer.from(bytes)))
    await assert.rejects(fetcher.fetch(place, options), expected)
    await writeFile(file, bytes)
  }
  const flipped = (bytes: Buffer): Buffer => {
    bytes[bytes.length - 9] = (bytes.at(-9) ?? 0) ^ 1
    return bytes
  }
  await damaged(layer.digest, flipped, { code: 'FETCH_CHANGED' })
  await damaged(layer.digest, (bytes) => bytes.subarray(1), { code: 'FETCH_CHANGED' })
  await damaged(layer.digest, (bytes) => Buffer.concat([bytes, bytes]), { code: 'FETCH_TOO_LARGE' })
  await damaged(layer.digest, () => packed('1.0.0', {}, 'evil()'), { code: /^FETCH_(?:CHANGED|TOO_LARGE)$/ })
  await damaged(
    digest,
    (bytes) => Buffer.from(bytes.toString('utf8').replace('image.version":"1.0.0"', 'image.version":"1.0.1"')),
    {
      code: /^FETCH_/,
    },
  )
  assert.equal((await fetcher.fetch(place, options)).tree.files.length, 2)
  await rm(registry.blobFile(layer.digest))
  await assert.rejects(fetcher.fetch(place, options), { code: 'FETCH_NOT_FOUND' })
})

test('a manifest whose digest is another than was asked for is refused, whoever sends it', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  await here.push({})
  const digest = await here.push({ archive: packed('1.1.0') })
  const front = await inFrontOf(t, here.registry, (request) => {
    request.url = request.url?.replace(digest, '1.0.0') ?? ''
    return false
  })
  const fetcher = ociFetcher({ registries: { [here.registry.host]: { url: front.url } } })
  await assert.rejects(taken(fetcher, `${here.name}:1.1.0`), { code: 'FETCH_CHANGED' })
})

test('what is no package, or not in one form, is refused by what it is', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const bytes = packed('1.0.0')
  const config = Buffer.from('{"schemaVersion":1}')
  const [own, layer] = [descriptorOf(packageConfig, config), descriptorOf(packageLayer, bytes)]
  const put = async (tag: string, manifest: object): Promise<void> => {
    const repository = here.repository()
    await upload.blob(repository, { descriptor: own, bytes: config })
    await upload.blob(repository, { descriptor: layer, bytes })
    const text = bytesOf({
      schemaVersion: 2,
      mediaType: manifestType,
      artifactType: packageArtifact,
      config: own,
      layers: [layer],
      ...manifest,
    })
    await upload.manifest(repository, { descriptor: descriptorOf(manifestType, text), bytes: text }, tag)
  }
  await put('image', { artifactType: undefined, config: { ...own, mediaType: 'application/vnd.oci.image.config.v1+json' } })
  await put('artifact', { artifactType: 'application/vnd.example.chart' })
  await put('config', { config: { ...own, mediaType: 'application/json' } })
  await put('layers', { layers: [layer, layer] })
  await put('layer', { layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }] })
  for (const tag of ['image', 'artifact', 'config', 'layers', 'layer']) {
    await assert.rejects(first(here.fetcher, `${here.name}:${tag}`), { code: 'FETCH_RESPONSE_INVALID' }, tag)
  }
  await put('other', {})
  const { digest } = await here.repository().manifest('other')
  const place: PinnedPlace = { kind: 'oci', reference: `${here.registry.host}/acme/s3`, digest }
  await assert.rejects(here.fetcher.fetch(place, options), { code: 'FETCH_RESPONSE_INVALID', message: /not the plugin\.json/ })
  await assert.rejects(first(here.fetcher, `${here.name}:none`), { code: 'FETCH_NOT_FOUND' })
  await assert.rejects(first(ociFetcher(here.with({}, { ociLimits: { manifestBytes: 50 } })), `${here.name}:other`), {
    code: 'FETCH_TOO_LARGE',
  })
  const small = ociFetcher(here.with({}, { archiveLimits: { archiveBytes: 20 } }))
  await assert.rejects(small.fetch(place, options), { code: 'FETCH_TOO_LARGE', message: /20 bytes/ })
})

test('a manifest is read in one way only', () => {
  const read = (value: unknown, type?: string): unknown =>
    readManifestText(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), type, 'oci:x')
  const descriptor = descriptorOf(packageLayer, Buffer.from(''))
  const manifest = { schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [descriptor] }
  assert.equal(Reflect.get(Object(read(manifest, `${manifestType}; charset=utf-8`)), 'kind'), 'manifest')
  const refused: readonly (readonly [unknown, string?])[] = [
    ['{"schemaVersion":2,"schemaVersion":2}'],
    ['[]'],
    ['nonsense'],
    [{ ...manifest, schemaVersion: 1 }],
    [manifest, indexType],
    [{ ...manifest, mediaType: undefined }],
    [{ ...manifest, mediaType: 'application/vnd.docker.distribution.manifest.v2+json' }],
    [{ ...manifest, config: { ...descriptor, digest: 'sha512:00' } }],
    [{ ...manifest, config: { ...descriptor, size: -1 } }],
    [{ ...manifest, layers: [{ ...descriptor, digest: `sha256:${'A'.repeat(64)}` }] }],
    [{ schemaVersion: 2, mediaType: indexType }],
    [{ schemaVersion: 2, mediaType: indexType, manifests: [{}] }],
    [{ schemaVersion: 2, mediaType: indexType, manifests: Array.from({ length: 257 }, () => descriptor) }],
  ]
  for (const [value, type] of refused) {
    assert.throws(() => read(value, type), { code: 'FETCH_RESPONSE_INVALID' }, JSON.stringify(value).slice(0, 80))
  }
  assert.equal(attestationTypeOf({}), 'application/vnd.dsse.envelope.v1+json')
})

test('every reference that could be taken for something else is refused before anybody is asked', async (t) => {
  const server = await serving(t, (_request, response) => response.writeHead(404).end())
  const host = `127.0.0.1:${server.port}`
  const fetcher = ociFetcher({ registries: { [host]: { url: server.url } } })
  const hostile = [
    'oci:',
    `oci:${host}`,
    `oci:${host}/`,
    `oci://${host}/acme/s3`,
    `oci:http://${host}/acme/s3`,
    `oci:user:password@${host}/acme/s3`,
    `oci:${host}/Acme/s3`,
    `oci:${host}/acme/../s3`,
    `oci:${host}/acme//s3`,
    `oci:${host}/-acme/s3`,
    `oci:${host}/acme/s3/`,
    `oci:${host}/acme/s3?x`,
    `oci:${host}/acme/s3#x`,
    `oci:${host}/acme/%2e%2e`,
    String.raw`oci:${host}/acme\s3`,
    `oci:${host}/acme/s3:`,
    `oci:${host}/acme/s3:.tag`,
    `oci:${host}/acme/s3:a/b`,
    `oci:${host}/acme/s3:a\r\nx: y`,
    `oci:${host}/acme/s3:${'a'.repeat(129)}`,
    `oci:${host}/acme/s3:^banana`,
    `oci:${host}/acme/s3@sha256:00`,
    `oci:${host}/acme/s3@sha512:${'0'.repeat(128)}`,
    `oci:${host}/acme/s3:1.0.0@sha256:${'0'.repeat(64)}`,
    `oci:${host}/acme/s\u0456`,
    `oci:${host}/acme/s3\n`,
    `oci:${host}/${'a'.repeat(2_000)}`,
    'oci:REGISTRY.example.org/acme/s3',
    'oci:registry.example.org:443/acme/s3',
    'oci:-registry.example.org/acme/s3',
    'oci:127.1/acme/s3',
    'oci:[::1]/acme/s3',
  ]
  for (const reference of hostile) {
    await assert.rejects(fetcher.versions(reference, options), { code: 'FETCH_REFERENCE_INVALID' }, JSON.stringify(reference))
  }
  for (const reference of ['../s3', `${host}/acme/s3:1`, `${host}/acme/s3@x`]) {
    const place: PinnedPlace = { kind: 'oci', reference, digest: `sha256:${'0'.repeat(64)}` }
    await assert.rejects(fetcher.fetch(place, options), { code: 'FETCH_REFERENCE_INVALID' }, reference)
  }
  assert.deepEqual(server.asked, [])
})

test('a list of tags that goes on and on with the same is refused, and what is no tag is not read', async (t) => {
  const pages = [['1.0.0', '\u0000', '..', 'x'.repeat(1_000)], ['1.0.0']]
  const server = await serving(t, (request, response) => {
    const isFirst = !request.url?.includes('last=')
    response.setHeader('link', '</v2/acme/s3/tags/list?n=1>; rel="next"').setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ tags: pages[isFirst ? 0 : 1] }))
  })
  const fetcher = ociFetcher({ registries: { 'registry.example': { url: server.url } } })
  await assert.rejects(fetcher.versions('oci:registry.example/acme/s3', options), {
    code: 'FETCH_RESPONSE_INVALID',
    message: /no end/,
  })
  assert.deepEqual(
    server.asked.map(({ url }) => url),
    ['/v2/acme/s3/tags/list?n=1000', '/v2/acme/s3/tags/list?n=1000&last=1.0.0'],
  )
})

test('a platform whose name is none is refused before it is in a lock or on a terminal', () => {
  const digest = `sha256:${'0'.repeat(64)}`
  for (const os of ['lin\nux', '\u001b[2J', '', 'x'.repeat(33)]) {
    const manifests = [{ mediaType: manifestType, digest, size: 1, platform: { os, architecture: 'amd64' } }]
    const bytes = bytesOf({ schemaVersion: 2, mediaType: indexType, manifests })
    assert.throws(() => readManifestText(bytes, indexType, 'here'), { code: 'FETCH_RESPONSE_INVALID', message: /^[\x20-\x7e]*$/ })
  }
})
