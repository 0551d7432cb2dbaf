import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test, type TestContext } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { tgzOf } from '../../archive/fixtures/raw-tar.ts'
import { serving } from '../../fixtures/serving.ts'
import { packed, registryOnDisk } from './fixtures/oci-registry-on-disk.ts'
import { ociFetcher, type OciFetcherOptions } from './oci-fetcher.ts'
import { pushPackage, type PackageToPush, type PushedPackage } from './push-package.ts'

const { signal } = new AbortController()

interface Ground {
  readonly name: string
  readonly url: string
  readonly options: OciFetcherOptions
  readonly push: (archives: PackageToPush['archives'], more?: Partial<PackageToPush>, tag?: string) => Promise<PushedPackage>
}

async function ground(t: TestContext, isReadOnly = false): Promise<Ground | undefined> {
  if (!requireProgram(t, 'docker-registry', 'docker-registry')) return undefined
  const { host, url } = await registryOnDisk(t, undefined, isReadOnly)
  const options = { registries: { [host]: { url } } }
  const name = `oci:${host}/acme/s3`
  const push: Ground['push'] = (archives, more = {}, tag = '') =>
    pushPackage(`${name}${tag}`, { archives, ...more }, options, { signal })
  return { name, url, options, push }
}

test('the same package again is the same, and another one under its version is refused', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const one = await here.push({ any: packed('1.0.0') })
  assert.deepEqual([one.version, one.tag, one.wasThere], ['1.0.0', '1.0.0', false])
  assert.deepEqual(await here.push({ any: packed('1.0.0') }), { ...one, wasThere: true })
  await assert.rejects(here.push({ any: packed('1.0.0', {}, 'other') }), { code: 'PUSH_EXISTS', message: new RegExp(one.digest) })
  const [found] = await ociFetcher(here.options).versions(here.name, { signal })
  assert.ok(found?.place.kind === 'oci')
  assert.equal(found.place.digest, one.digest)
})

test('a tag that is no version may be moved, and a build is in the tag of its version', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  await here.push({ any: packed('1.0.0') }, {}, ':stable')
  const moved = await here.push({ any: packed('1.1.0') }, {}, ':stable')
  assert.deepEqual([moved.tag, moved.version], ['stable', '1.1.0'])
  assert.equal((await here.push({ any: packed('1.1.0+linux') })).tag, '1.1.0_linux')
})

test('what is no package of one plugin and version is refused before anything is sent', async (t) => {
  const server = await serving(t, (_request, response) => response.writeHead(500).end())
  const host = `127.0.0.1:${server.port}`
  const push = (archives: PackageToPush['archives'], tag = ''): Promise<PushedPackage> =>
    pushPackage(`oci:${host}/acme/s3${tag}`, { archives }, { registries: { [host]: { url: server.url } } }, { signal })
  const good = packed('1.0.0')
  await assert.rejects(push({}), { code: 'PUSH_INVALID' })
  await assert.rejects(push({ any: good, 'linux-x64': good }), { code: 'PUSH_INVALID' })
  await assert.rejects(push({ 'linux-x64': good, 'linux-arm64': packed('1.0.1') }), {
    code: 'PUSH_INVALID',
    message: /1\.0\.0 and/,
  })
  await assert.rejects(push({ 'linux/amd64': good }), { code: 'PUSH_INVALID' })
  await assert.rejects(push({ any: Buffer.from('PK\u0003\u0004') }), { code: 'PUSH_INVALID', message: /no \.tgz/ })
  await assert.rejects(push({ any: good }, `@sha256:${'0'.repeat(64)}`), { code: 'PUSH_INVALID' })
  await assert.rejects(push({ any: good }, ':^1'), { code: 'PUSH_INVALID' })
  await assert.rejects(push({ any: tgzOf([{ name: 'package/a.js', body: '' }]) }), { code: 'SOURCE_MANIFEST_INVALID' })
  await assert.rejects(push({ any: tgzOf([{ name: '../plugin.json', body: '' }]) }), { code: 'ARCHIVE_PATH_ESCAPES' })
  assert.deepEqual(server.asked, [])
})

test('a registry that takes nothing is told with what it answered', async (t) => {
  const here = await ground(t, true)
  if (here === undefined) return
  await assert.rejects(here.push({ any: packed('1.0.0') }), { code: 'PUSH_REFUSED', message: /an upload: it answers 405/ })
})

test('an upload is not led to a place that nobody named', async (t) => {
  const elsewhere = await serving(t, (_request, response) => response.writeHead(201).end())
  const server = await serving(t, (request, response) => {
    if (request.method === 'POST') response.writeHead(202, { location: `http://127.0.0.1:${elsewhere.port}/take` }).end()
    else response.writeHead(404).end()
  })
  const host = `127.0.0.1:${server.port}`
  const options = { registries: { [host]: { url: server.url } } }
  await assert.rejects(pushPackage(`oci:${host}/acme/s3`, { archives: { any: packed('1.0.0') } }, options, { signal }), {
    code: 'FETCH_ADDRESS_REFUSED',
  })
  assert.deepEqual(elsewhere.asked, [])
})

test('a token that would be more than one header is not sent, and not told', async (t) => {
  const server = await serving(t, (_request, response) => response.writeHead(401).end())
  const registries = {
    'registry.example': { url: server.url, credential: () => ({ kind: 'bearer', token: 'canary\r\nx-evil: 1' }) as const },
  }
  const thrown: unknown = await pushPackage(
    'oci:registry.example/acme/s3',
    { archives: { any: packed('1.0.0') } },
    { registries },
    { signal },
  ).catch((error: unknown) => error)
  assert.equal(Reflect.get(Object(thrown), 'code'), 'FETCH_DENIED')
  assert.doesNotMatch(inspect(thrown, { depth: 9 }), /canary/)
  assert.ok(server.asked.every(({ headers }) => headers.authorization === undefined))
})
