import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FetchedPackage } from '../fetcher.ts'
import { ociGround, taken, type OciGround } from './fixtures/oci-ground.ts'
import { packed } from './fixtures/oci-registry-on-disk.ts'
import { indexType, manifestType } from './media-types.ts'
import { ociFetcher } from './oci-fetcher.ts'
import { bytesOf, descriptorOf, upload } from './upload.ts'

const envelope = (text: string): object => ({ payloadType: 'application/vnd.in-toto+json', payload: text, signatures: [] })

test('a list with a package for each platform gives this one’s, and the digests of all', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const { name } = here
  const archives = { 'linux-x64': packed('1.0.0', {}, 'x64'), 'win32-arm64': packed('1.0.0', {}, 'arm64') }
  await here.push({ archives, attestations: [envelope('both')] })
  const on = (platform: string): Promise<FetchedPackage> => taken(ociFetcher(here.with({}, { platform })), name)
  const [linux, windows] = [await on('linux-x64'), await on('win32-arm64')]
  assert.deepEqual([code(linux), code(windows)], ['x64', 'arm64'])
  assert.deepEqual(linux.platforms, windows.platforms)
  assert.deepEqual(Object.keys(linux.platforms ?? {}).sort(), ['linux-x64', 'win32-arm64'])
  assert.equal(linux.platforms?.['win32-arm64']?.digest, windows.tree.digest)
  assert.equal(linux.platforms?.['win32-arm64']?.archive, windows.archive)
  assert.deepEqual(
    linux.attestations.map(({ content }) => content),
    [envelope('both')],
  )
  const narrow = ociFetcher(here.with({}, { platform: 'linux-x64', ociLimits: { platforms: 1 } }))
  await assert.rejects(taken(narrow, name), { code: 'FETCH_TOO_LARGE', message: /1 platforms/ })
  await assert.rejects(on('darwin-arm64'), {
    code: 'FETCH_NOT_FOUND',
    message: /for linux-x64, win32-arm64 only, not for darwin-arm64/,
  })
})

test('a package for all platforms that a list does not name is locked for them as any', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  await here.push({ archive: packed('1.0.0', {}, 'linux') }, ':linux')
  await here.push({ archive: packed('1.0.0', {}, 'other') }, ':other')
  await putList(here, 'both', [['linux', { os: 'linux', architecture: 'amd64' }], ['other']])
  const on = (platform: string): Promise<FetchedPackage> => taken(ociFetcher(here.with({}, { platform })), `${here.name}:both`)
  const [linux, other] = [await on('linux-x64'), await on('darwin-arm64')]
  assert.deepEqual([code(linux), code(other)], ['linux', 'other'])
  assert.deepEqual(linux.platforms, other.platforms)
  assert.deepEqual(
    [linux.platforms?.['linux-x64']?.digest, linux.platforms?.['any']?.digest],
    [linux.tree.digest, other.tree.digest],
  )
})

test('a list of different versions is refused, and so is one that leads to another list', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  const architecture = 'amd64'
  await here.push({})
  await here.push({ archive: packed('1.1.0') })
  await putList(here, 'mixed', [
    ['1.0.0', { os: 'linux', architecture }],
    ['1.1.0', { os: 'darwin', architecture }],
  ])
  await putList(here, 'nested', [['mixed']])
  const fetcher = ociFetcher(here.with({}, { platform: 'linux-x64' }))
  await assert.rejects(taken(fetcher, `${here.name}:mixed`), {
    code: 'FETCH_RESPONSE_INVALID',
    message: /acme\/s3 1\.0\.0 for one platform and acme\/s3 1\.1\.0 for another/,
  })
  await assert.rejects(taken(fetcher, `${here.name}:nested`), { code: 'FETCH_RESPONSE_INVALID', message: /another list/ })
})

/** Puts a list of what these tags lead to, each for its platform. */
async function putList(here: OciGround, tag: string, entries: readonly (readonly [string, object?])[]): Promise<void> {
  const repository = here.repository()
  const manifests: object[] = []
  for (const [from, platform] of entries) {
    const { digest, sizeBytes: size, manifest } = await repository.manifest(from)
    manifests.push({ mediaType: manifest.kind === 'index' ? indexType : manifestType, digest, size, platform })
  }
  const bytes = bytesOf({ schemaVersion: 2, mediaType: indexType, manifests })
  await upload.manifest(repository, { descriptor: descriptorOf(indexType, bytes), bytes }, tag)
}

function code({ tree }: FetchedPackage): string {
  return Buffer.from(tree.files.find(({ path }) => path === 'index.js')?.bytes ?? []).toString('utf8')
}
