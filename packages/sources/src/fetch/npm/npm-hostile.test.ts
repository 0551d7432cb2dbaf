import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { acceptManifest } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import * as fc from 'fast-check'
import { tgzOf, type RawTarEntry } from '../../archive/fixtures/raw-tar.ts'
import { integrityOf, packageArchive } from '../../fixtures/package-archive.ts'
import { manifestOf } from '../../fixtures/package-folder.ts'
import { json, serving, type Answering, type Serving } from '../../fixtures/serving.ts'
import { Installer } from '../../install/installer.ts'
import type { Fetcher } from '../fetcher.ts'
import { npmFetcher, type NpmFetcherOptions } from './npm-fetcher.ts'

const { signal } = new AbortController()
const options = { signal }
const good = packageArchive('s3')

interface Hostile {
  readonly server: Serving
  readonly fetcher: (more?: Partial<NpmFetcherOptions>) => Fetcher
  /** Fields of what the registry says of the package, of its one version, and of where that is. */
  readonly say: (about?: object, version?: object, dist?: object) => unknown
  /** Answers with this for the package, and with that for its tarball. */
  readonly answer: (packument: unknown, tarball?: Answering) => void
}

async function hostile(t: TestContext): Promise<Hostile> {
  const server = await serving(t, () => {})
  const say: Hostile['say'] = (about = {}, version = {}, dist = {}) => {
    const where = { tarball: `${server.url}s3.tgz`, integrity: integrityOf(good), ...dist }
    const one = { name: '@acme/s3', version: '1.0.0', dist: where, ...version }
    return { name: '@acme/s3', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': one }, ...about }
  }
  return {
    server,
    say,
    fetcher: (more = {}) => npmFetcher({ registries: { '@acme': { url: server.url } }, limits: { retryDelaysMs: [] }, ...more }),
    answer: (packument, tarball = (_request, response) => response.end(good)) => {
      server.answer = (request, response) => (request.url === '/s3.tgz' ? tarball : json(packument))(request, response)
    },
  }
}

async function fetched(fetcher: Fetcher): Promise<unknown> {
  const [offer] = await fetcher.versions('npm:@acme/s3', options)
  return fetcher.fetch(offer?.place ?? assert.fail('no version'), options)
}

const invalid: readonly (readonly [title: string, about: object, version: object, dist: object, reason: RegExp])[] = [
  ['another package', { name: '@acme/other' }, {}, {}, /is not about @acme\/s3/],
  ['a version that calls itself otherwise', {}, { version: '2.0.0' }, {}, /calls itself otherwise/],
  ['SHA-1 only', {}, {}, { integrity: undefined, shasum: '0'.repeat(40) }, /gives no SHA-512/],
  ['a weaker digest', {}, {}, { integrity: `sha1-${'A'.repeat(27)}=` }, /gives no SHA-512/],
  ['two digests', {}, {}, { integrity: `${integrityOf(good)} ${integrityOf(Buffer.of(1))}` }, /gives no SHA-512/],
  ['a digest that is none', {}, {}, { integrity: 'sha512-AAAA' }, /gives no SHA-512/],
  ['no tarball', {}, {}, { tarball: 7 }, /gives no address/],
]

for (const [title, about, version, dist, reason] of invalid) {
  test(`a registry that offers ${title} is told to be wrong`, async (t) => {
    const { fetcher, answer, say } = await hostile(t)
    answer(say(about, version, dist))
    await assert.rejects(fetcher().versions('npm:@acme/s3', options), { code: 'FETCH_RESPONSE_INVALID', message: reason })
  })
}

test('names and versions that are paths or prototypes are no versions', async (t) => {
  const { fetcher, answer, say } = await hostile(t)
  const odd = Object.fromEntries(['../../etc', '1.0', 'v1.0.0', 'toString', '1.0.0/../..'].map((key) => [key, { version: key }]))
  answer(say({ versions: odd, 'dist-tags': { latest: '../../etc', toString: '1.0.0', '\u001b[2J': '1.0.0' } }))
  for (const reference of ['npm:@acme/s3', 'npm:@acme/s3@latest', 'npm:@acme/s3@hasOwnProperty']) {
    await assert.rejects(fetcher().versions(reference, options), { code: 'FETCH_NOT_FOUND' }, reference)
  }
  await assert.rejects(fetcher().versions('npm:@acme/s3@nxt', options), { message: /it has latest, toString$/ })
  answer(say({}, { deprecated: 'use \u001b[2Janother' }))
  assert.equal((await fetcher().versions('npm:@acme/s3', options))[0]?.deprecated, 'use  [2Janother')
  answer(say(JSON.parse('{"__proto__": {"versions": {}}}') as object))
  await assert.rejects(fetcher().versions('npm:@acme/s3', options), { code: 'FETCH_RESPONSE_INVALID' })
})

test('a tarball elsewhere is not asked for: on another host, of the metadata service, in a file', async (t) => {
  const { fetcher, answer, say, server } = await hostile(t)
  const other = await serving(t, (_request, response) => response.end(good))
  for (const tarball of [
    'http://169.254.169.254/s3.tgz',
    'file:///etc/passwd',
    `${other.url}s3.tgz`,
    'http://joe:pw@127.0.0.1/',
  ]) {
    answer(say({}, {}, { tarball }))
    await assert.rejects(fetched(fetcher()), { code: 'FETCH_ADDRESS_REFUSED' }, tarball)
  }
  assert.equal(other.asked.length, 0)
  answer(say({}, {}, { tarball: `${other.url}s3.tgz` }))
  const also = npmFetcher({ registries: { '@acme': { url: server.url, alsoFrom: [`127.0.0.1:${other.port}`] } } })
  await fetched(also)
  answer(say(), (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end())
  await assert.rejects(fetched(fetcher()), { code: 'FETCH_ADDRESS_REFUSED' })
})

test('a packument or a tarball without an end is not read to it', async (t) => {
  const { fetcher, answer, say, server } = await hostile(t)
  const endless: Answering = (_request, response) => {
    response.setHeader('content-type', 'application/json')
    const more = (): void => void (response.destroyed || response.write(' '.repeat(65_536), () => setImmediate(more)))
    more()
  }
  answer(say(), (_request, response) => {
    response.setHeader('content-type', 'application/octet-stream')
    endless(_request, response)
  })
  await assert.rejects(fetched(fetcher({ archiveLimits: { archiveBytes: 200_000 } })), { code: 'FETCH_RESPONSE_INVALID' })
  answer(say(), (_request, response) => {
    const more = (): void => void (response.destroyed || response.write(Buffer.alloc(65_536), () => setImmediate(more)))
    more()
  })
  await assert.rejects(fetched(fetcher({ archiveLimits: { archiveBytes: 200_000 } })), { code: 'FETCH_TOO_LARGE' })
  server.answer = endless
  await assert.rejects(fetcher({ packumentBytes: 1_000_000 }).versions('npm:@acme/s3', options), { code: 'FETCH_TOO_LARGE' })
})

const file = (name: string, body: string | Uint8Array = ''): RawTarEntry => ({ name, body })
const plugin = file('package/plugin.json', JSON.stringify(manifestOf('s3')))

const archives: readonly (readonly [title: string, bytes: Buffer, code: string])[] = [
  ['is a bomb', tgzOf([plugin, file('package/a', Buffer.alloc(8_000_000))]), 'ARCHIVE_RATIO'],
  ['leads out of its folder', tgzOf([plugin, file('package/../../evil')]), 'ARCHIVE_PATH_ESCAPES'],
  ['holds a link', tgzOf([plugin, { name: 'package/a', type: '2', link: '/etc/passwd' }]), 'ARCHIVE_LINK'],
  ['has two folders', tgzOf([plugin, file('other/a')]), 'ARCHIVE_NO_TOP_FOLDER'],
  ['has no plugin.json', tgzOf([file('package/a')]), 'SOURCE_MANIFEST_INVALID'],
  ['has a plugin.json that is none', tgzOf([file('package/plugin.json', '{"a":1,"a":2}')]), 'SOURCE_MANIFEST_INVALID'],
  ['has a huge plugin.json', tgzOf([file('package/plugin.json', randomText(1_100_000))]), 'SOURCE_TOO_LARGE'],
  ['has something after its end', Buffer.concat([good, gzipSync('x')]), 'ARCHIVE_SECOND_MEMBER'],
  ['is a page', Buffer.from('<html>'), 'ARCHIVE_FORMAT_UNKNOWN'],
]

for (const [title, bytes, code] of archives) {
  test(`a tarball that ${title} is refused as ${code}, though its digest is right`, async (t) => {
    const { fetcher, answer, say } = await hostile(t)
    answer(say({}, {}, { integrity: integrityOf(bytes) }), (_request, response) => response.end(bytes))
    await assert.rejects(fetched(fetcher()), { code })
  })
}

test('whatever a registry answers, an error is coded, what comes is what was pinned, and nothing is written', async (t) => {
  const { server, say } = await hostile(t)
  const root = await temporaryDirectory(t)
  const limits = { retryDelaysMs: [], timeoutMs: 2_000 }
  const fetcher = npmFetcher({ registries: { '@acme': { url: server.url } }, limits, packumentBytes: 100_000 })
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const judge = (): { ok: true; trust: 'unsigned'; rules: [] } => ({ ok: true, trust: 'unsigned', rules: [] })
  const installer = new Installer({ ...places, fetchers: [fetcher], judge, acceptManifest, hostApi: '1.0.0' })
  const strange = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('../x', 'file:///etc/passwd', `${server.url}s3.tgz`, 'sha512-x', '1.0.0'),
  )
  const fields = fc.dictionary(
    fc.constantFrom('name', 'versions', 'version', 'dist', 'tarball', 'integrity', 'time', 'dist-tags'),
    strange,
  )
  const packuments = fc.oneof(
    fc.constant(say()),
    strange,
    fc.tuple(fields, fields, fields).map(([about, version, dist]) => say(about, version, dist)),
  )
  const head = fc.option(
    fc.record({
      status: fc.constantFrom(200, 200, 200, 200, 204, 301, 401, 404, 500),
      type: fc.constantFrom('application/json', 'application/json', 'application/octet-stream', 'text/html', ''),
      encoding: fc.constantFrom('identity', 'identity', 'identity', 'gzip'),
      location: fc.constantFrom('/', '/s3.tgz', 'http://169.254.169.254/', 'nonsense:', '//evil.example'),
    }),
    { freq: 2 },
  )
  const damage = fc.option(fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255), cut: fc.boolean() }), { freq: 2 })
  let taken = 0
  const property = fc.asyncProperty(packuments, head, head, damage, async (packument, first, second, damaged) => {
    const tarball = damaged === null ? good : damagedBy(damaged)
    server.answer = (request, response) => {
      const isTarball = request.url === '/s3.tgz'
      const plain = { status: 200, type: isTarball ? '' : 'application/json', encoding: 'identity', location: '/' }
      const { status, type, encoding, location } = (isTarball ? second : first) ?? plain
      const headers = { ...(type === '' ? {} : { 'content-type': type }), 'content-encoding': encoding, location }
      response.writeHead(status, headers).end(isTarball ? tarball : JSON.stringify(packument))
    }
    try {
      const { steps } = await installer.plan([{ kind: 'add', reference: 'npm:@acme/s3' }], options)
      const [step] = steps
      assert.ok(step?.kind === 'install' && step.fetched.place.kind === 'npm')
      assert.equal(step.fetched.place.integrity, integrityOf(tarball))
      taken += 1
    } catch (error) {
      assert.ok(error instanceof PlatformError, String(error))
      assert.match(error.code, /^(?:FETCH|ARCHIVE|SOURCE|MANIFEST|INSTALL)_/)
    }
    assert.deepEqual(await readdir(root), [])
  })
  await fc.assert(property, { numRuns: 300 })
  assert.ok(taken > 0, 'some of them are good')
})

function damagedBy({ at, byte, cut }: { readonly at: number; readonly byte: number; readonly cut: boolean }): Buffer {
  const bytes = Buffer.from(good)
  bytes[at] = byte
  return cut ? bytes.subarray(0, at) : bytes
}

/** Text that does not compress to nothing. */
function randomText(length: number): string {
  let seed = 1
  return Array.from({ length }, () => String.fromCodePoint(33 + ((seed = (seed * 48_271) % 2_147_483_647) % 90))).join('')
}
