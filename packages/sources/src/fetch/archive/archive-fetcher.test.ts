import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { packageArchive } from '../../fixtures/package-archive.ts'
import { put } from '../../fixtures/package-folder.ts'
import { serving } from '../../fixtures/serving.ts'
import type { HomeOptions } from '../fetch-home.ts'
import type { AvailableVersion, Fetcher } from '../fetcher.ts'
import { archiveFetcher } from './archive-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }

async function first(fetcher: Fetcher, reference: string): Promise<AvailableVersion> {
  return (await fetcher.versions(reference, options))[0] ?? assert.fail('no version')
}

async function folderWith(t: TestContext, name: string, bytes: Uint8Array): Promise<string> {
  const folder = await temporaryDirectory(t)
  await writeFile(join(folder, name), bytes)
  return folder
}

test('an archive in a file has the version it holds, however its path is written', async (t) => {
  const from = await folderWith(t, 's3.tgz', packageArchive('s3', {}, { 'index.js': '', '.backplane/a.json': '{"a":1}' }))
  const fetcher = archiveFetcher({ from })
  const path = join(from, 's3.tgz')
  for (const reference of ['./s3.tgz', path, `archive:${path}`, `file:${path}`, 'file:s3.tgz', pathToFileURL(path).href]) {
    const { version, place } = await first(fetcher, reference)
    assert.equal(version, '1.0.0', reference)
    assert.ok(place.kind === 'archive' && place.url === pathToFileURL(path).href)
    const fetched = await fetcher.fetch({ ...place }, options)
    assert.deepEqual(fetched.tree.files.map((file) => file.path).sort(), ['index.js', 'plugin.json'])
    assert.deepEqual([fetched.archive, fetched.attestations], [place.digest, [{ file: '.backplane/a.json', content: { a: 1 } }]])
  }
})

test('a zip is taken as well, with a folder around everything or without', async (t) => {
  if (!requireProgram(t, 'zip', 'zip')) return
  const from = await temporaryDirectory(t)
  await put(from, 's3')
  execFileSync('zip', ['-q', '-X', '-r', 'around.zip', 's3'], { cwd: from })
  execFileSync('zip', ['-q', '-X', '-r', '../bare.zip', '.'], { cwd: join(from, 's3') })
  const fetcher = archiveFetcher({ from })
  const digests = await Promise.all(
    ['./around.zip', './bare.zip'].map(async (path) => {
      const { place } = await first(fetcher, path)
      return (await fetcher.fetch(place, options)).tree.digest
    }),
  )
  assert.equal(digests[0], digests[1])
})

test('an archive that changed since it was locked is refused, and one that is gone is told', async (t) => {
  const from = await folderWith(t, 's3.tgz', packageArchive('s3'))
  const fetcher = archiveFetcher({ from })
  const { place } = await first(fetcher, './s3.tgz')
  await writeFile(join(from, 's3.tgz'), packageArchive('s3', {}, { 'index.js': 'evil()' }))
  await assert.rejects(fetcher.fetch({ ...place }, options), { code: 'FETCH_CHANGED' })
  await assert.rejects(fetcher.versions('./s4.tgz', options), { code: 'FETCH_NOT_FOUND' })
  await assert.rejects(archiveFetcher({ from, archiveLimits: { archiveBytes: 10 } }).versions('./s3.tgz', options), {
    code: 'ARCHIVE_TOO_LARGE',
  })
})

test('nothing is downloaded unless the options name the place, and only from below it', async (t) => {
  const web = await serving(t, (_request, response) => response.end(packageArchive('s3')))
  await assert.rejects(archiveFetcher().versions(`${web.url}plugins/s3.tgz`, options), {
    code: 'FETCH_ADDRESS_REFUSED',
    message: /only from where the options say/,
  })
  const fetcher = archiveFetcher({ places: [{ url: `${web.url}plugins/` }] })
  for (const path of ['s3.tgz', 'plugins/../s3.tgz', 'plugins/%2e%2e/s3.tgz', 'pluginsx/s3.tgz']) {
    await assert.rejects(fetcher.versions(`${web.url}${path}`, options), { code: 'FETCH_ADDRESS_REFUSED' }, path)
  }
  assert.equal(web.asked.length, 0)
  const { version, place } = await first(fetcher, `${web.url}plugins/s3.tgz`)
  await fetcher.fetch(place, options)
  assert.equal(version, '1.0.0')
  assert.equal(web.asked.length, 1, 'what was read is not asked for again')
  await assert.rejects(archiveFetcher().fetch({ ...place }, options), { code: 'FETCH_ADDRESS_REFUSED' })
})

test('an address that says more than where the archive is, is refused without being repeated', async () => {
  const fetcher = archiveFetcher({ places: [{ url: 'https://downloads.example.org' }] })
  const wrong = ['https://downloads.example.org/s3.tgz?token=canary', 'https://joe:canary@downloads.example.org/s3.tgz']
  const files = [
    'file:///srv/a%2fb.tgz',
    'file:///srv/a%00.tgz',
    'file://host/a.tgz',
    'file:///%zz.tgz',
    './a\0.tgz',
    'file:///a.tgz?x',
  ]
  for (const reference of [...wrong, 'https://[canary', ...files]) {
    const error: unknown = await fetcher.versions(reference, options).catch((thrown: unknown) => thrown)
    assert.equal(Reflect.get(Object(error), 'code'), 'FETCH_REFERENCE_INVALID', reference)
    assert.doesNotMatch(String(error), /canary/)
  }
})

test('of several places below one another the nearest counts, with its credential; a server is not asked to step out of it', async (t) => {
  const web = await serving(t, (_request, response) => response.end(packageArchive('s3')))
  const place = (path: string): HomeOptions => ({
    url: `${web.url}${path}`,
    credential: () => ({ kind: 'bearer', token: `for-${path}` }),
  })
  const fetcher = archiveFetcher({ places: [place('plugins/'), place('plugins/acme/')] })
  for (const path of ['plugins/acme/s3.tgz', 'plugins/s3.tgz']) await fetcher.versions(`${web.url}${path}`, options)
  assert.deepEqual(
    web.asked.map(({ headers }) => headers.authorization),
    ['Bearer for-plugins/acme/', 'Bearer for-plugins/'],
  )
  for (const path of ['..%2fs3.tgz', '..%5Cs3.tgz', '%2e%2e%2fs3.tgz', 'a%00/../s3.tgz%00']) {
    const asked = fetcher.versions(`${web.url}plugins/${path}`, options)
    await assert.rejects(asked, { code: 'FETCH_REFERENCE_INVALID', message: /is escaped/ }, path)
  }
  assert.equal(web.asked.length, 2)
})
