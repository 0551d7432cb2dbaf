import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import * as fc from 'fast-check'
import { serving } from '../../fixtures/serving.ts'
import { key, shelf } from './fixtures/shelf.ts'

const { signal } = new AbortController()
const options = { signal }

test('whatever a web server makes of an index, what comes of it is what was signed, or an error with a code', async (t) => {
  const { add, folder, reader } = await shelf(t)
  await add('s3')
  const web = await serving(t, () => {})
  const indexes = { acme: { url: web.url, keys: [key.publicKey] } }
  const limits = { retryDelaysMs: [] }
  const honest = reader()
  const [offer] = await honest.versions('index:acme/s3', options)
  const real = await honest.fetch(offer?.place ?? assert.fail(), options)
  const change = fc.option(
    fc.record({
      at: fc.nat(10_000),
      byte: fc.nat(255),
      cut: fc.boolean(),
      status: fc.constantFrom(200, 200, 200, 302, 404, 500),
      location: fc.constantFrom('/index.json', '/archives/acme/s3-1.0.0.tgz', 'http://169.254.169.254/', 'file:///etc/passwd'),
    }),
    { freq: 2 },
  )
  let taken = 0
  const property = fc.asyncProperty(change, change, change, async (...changes) => {
    web.answer = async (request, response) => {
      const path = request.url ?? ''
      const changed = changes[['/index.json', '/plugins', '/archives'].findIndex((one) => path.startsWith(one))] ?? undefined
      const bytes = await readFile(join(folder, path))
      const { at, byte, cut, status, location } = changed ?? {
        at: 0,
        byte: bytes[0] ?? 0,
        cut: false,
        status: 200,
        location: '/',
      }
      const index = at % bytes.length
      bytes[index] = byte
      response.writeHead(status, { location }).end(cut ? bytes.subarray(0, index) : bytes)
    }
    const fetcher = reader({ indexes, limits })
    try {
      const [found] = await fetcher.versions('index:acme/s3', options)
      const fetched = await fetcher.fetch(found?.place ?? assert.fail(), options)
      assert.deepEqual(fetched, real)
      taken += 1
    } catch (error) {
      assert.ok(error instanceof PlatformError, String(error))
      assert.match(error.code, /^(?:FETCH|INDEX)_/)
    }
  })
  await fc.assert(property, { numRuns: 200 })
  assert.ok(taken > 0, 'some are left as they are')
})

test('a text of members that nobody vouched for is not parsed: it would keep the host busy', async (t) => {
  const { add, folder, reader } = await shelf(t)
  await add('s3')
  const members = Array.from({ length: 2_000 }, (_, at) => `"k${at}":0`).join(',')
  for (const text of [`{${members}}`, `[${'[],'.repeat(2_000)}[]]`]) {
    await writeFile(join(folder, 'index.json'), text)
    await assert.rejects(reader().versions('index:acme/s3', options), {
      code: 'INDEX_INVALID',
      message: /no envelope with signatures/,
    })
  }
})
