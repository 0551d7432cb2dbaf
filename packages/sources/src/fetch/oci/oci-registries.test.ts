import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { serving } from '../../fixtures/serving.ts'
import type { Fetcher } from '../fetcher.ts'
import { first, ociGround, taken } from './fixtures/oci-ground.ts'
import { account, inFrontOf, packed, tokenServer } from './fixtures/oci-registry-on-disk.ts'
import { ociFetcher } from './oci-fetcher.ts'
import type { OciRegistry } from './oci-repository.ts'
import { pushPackage } from './push-package.ts'

const { signal } = new AbortController()
const options = { signal }

test('a registry that wants a password is given it, and nobody else is', async (t) => {
  const here = await ociGround(t, { kind: 'password' }, { credential: () => account })
  if (here === undefined) return
  const { name, fetcher } = here
  await here.push({})
  assert.equal((await first(fetcher, name)).version, '1.0.0')
  const without = ociFetcher(here.with({}))
  await assert.rejects(first(without, name), { code: 'FETCH_DENIED' })
  const wrong = here.with({ credential: () => ({ ...account, password: 'wrong' }) })
  await assert.rejects(first(ociFetcher(wrong), name), { code: 'FETCH_DENIED' })
  await assert.rejects(pushPackage(name, { archives: { any: packed('2.0.0') } }, wrong, options), { code: 'FETCH_DENIED' })
})

test('a registry that wants a token is given one from a place that was named, for exactly what is needed', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const tokens = await tokenServer(t)
  const here = await ociGround(t, { kind: 'token', tokens }, { credential: () => account, tokensFrom: [tokens.host] })
  if (here === undefined) return
  const { name, fetcher } = here
  const unnamed = ociFetcher(here.with({ credential: () => account }))
  await assert.rejects(first(unnamed, name), { code: 'FETCH_ADDRESS_REFUSED', message: /leads there for a token/ })
  assert.deepEqual(tokens.asked, [])
  await here.push({})
  assert.deepEqual([...new Set(tokens.asked.map(({ scope }) => scope))], ['repository:acme/s3:pull,push'])
  tokens.asked.length = 0
  assert.equal((await taken(fetcher, name)).tree.files.length, 2)
  assert.deepEqual([...new Set(tokens.asked.map(({ scope }) => scope))], ['repository:acme/s3:pull'])
  const basic = `Basic ${Buffer.from('ci:secret').toString('base64')}`
  assert.deepEqual([...new Set(tokens.asked.map(({ authorization }) => authorization))], [basic])
})

test('a token that is none is refused, and so is what is no address of tokens', async (t) => {
  const server = await serving(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) {
      response.setHeader('content-type', 'application/json').end('{"token":"two\\nlines"}')
      return
    }
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end()
  })
  const host = `127.0.0.1:${server.port}`
  const fetcher = ociFetcher({ registries: { [host]: { url: server.url } } })
  await assert.rejects(first(fetcher, `oci:${host}/acme/s3`), { code: 'FETCH_RESPONSE_INVALID', message: /no token/ })
  for (const realm of ['http://127.0.0.1:1/token', 'file:///etc/passwd', 'https://evil.example/token', 'nonsense']) {
    server.answer = (_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
    }
    await assert.rejects(first(fetcher, `oci:${host}/acme/s3`), { code: 'FETCH_ADDRESS_REFUSED' }, realm)
  }
  server.answer = (_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Negotiate' }).end()
  }
  await assert.rejects(first(fetcher, `oci:${host}/acme/s3`), { code: 'FETCH_DENIED' })
})

test('blobs that lie on another host are fetched without the credential, and only from a host that was named', async (t) => {
  const here = await ociGround(t, { kind: 'password' }, { credential: () => account })
  if (here === undefined) return
  await here.push({})
  const blobs = await serving(t, (request, response) => {
    const digest = request.url?.split('/').at(-1) ?? ''
    readFile(here.registry.blobFile(digest)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  const front = await inFrontOf(t, here.registry, (request, response) => {
    if (request.url?.includes('/blobs/') !== true || request.headers.authorization === undefined) return false
    response.writeHead(307, { location: `http://127.0.0.1:${blobs.port}/${request.url.split('/').at(-1)}` }).end()
    return true
  })
  const registry = { url: front.url, credential: () => account }
  const through = (more: Partial<OciRegistry>): Fetcher =>
    ociFetcher({ registries: { [here.registry.host]: { ...registry, ...more } } })
  await assert.rejects(taken(through({}), here.name), { code: 'FETCH_ADDRESS_REFUSED' })
  assert.equal(blobs.asked.length, 0)
  assert.equal((await taken(through({ alsoFrom: [`127.0.0.1:${blobs.port}`] }), here.name)).tree.files.length, 2)
  assert.ok(blobs.asked.length > 0)
  assert.ok(blobs.asked.every(({ headers }) => headers.authorization === undefined))
})

test('a registry that nobody named is not asked, and one that is not there says so', async (t) => {
  const here = await ociGround(t)
  if (here === undefined) return
  await here.push({})
  await assert.rejects(first(ociFetcher({ registries: {} }), here.name), { code: 'FETCH_ADDRESS_REFUSED' })
  await assert.rejects(first(ociFetcher({ registries: { constructor: {} } }), here.name), { code: 'FETCH_ADDRESS_REFUSED' })
  await here.registry.stop()
  await assert.rejects(first(here.fetcher, here.name), { code: 'FETCH_UNREACHABLE' })
  await assert.rejects(here.push({}), { code: 'FETCH_UNREACHABLE' })
})
