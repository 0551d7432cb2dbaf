import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listening } from './fixtures/listening.ts'
import { backplane } from './fixtures/run-backplane.ts'

test('search says which index or registry has what, and who could not be asked', async (t) => {
  const asked: string[] = []
  const found = {
    packages: [
      {
        reference: 'index:acme:acme/s3',
        source: 'index:acme',
        name: 'acme/s3',
        version: '1.2.0',
        description: 'Stores objects',
        as_of: '2026-11-01T00:00:00.000Z',
      },
    ],
    problems: [{ source: 'https://npm.example/', message: 'it leads to nothing' }],
  }
  const host = await listening(t, (request, response) => {
    asked.push(String(request.url))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(asked.length > 2 ? { packages: [], problems: [] } : found))
  })
  const ran = await backplane(['search', 'object', 'storage', '--url', host])
  assert.equal(ran.code, 0)
  assert.match(ran.out, /acme\/s3 +1\.2\.0 +index:acme +2026-11-01 +Stores objects +add index:acme:acme\/s3/)
  assert.match(ran.err, /^https:\/\/npm\.example\/ could not be asked: it leads to nothing\n$/)
  assert.deepEqual(JSON.parse((await backplane(['search', 'x', '--json', '--url', host])).out), found)
  assert.equal((await backplane(['search', '--url', host])).code, 1, 'nothing is found')
  assert.deepEqual(asked, ['/api/packages/search?q=object+storage', '/api/packages/search?q=x', '/api/packages/search?q='])
})

test('what a host answers ends as the host says; where it does not say, by its code, and else by how it answered', async (t) => {
  const cases = [
    ['PLUGIN_NOT_QUARANTINED', 409, 65, { exit: 65 }],
    ['FETCH_CHANGED', 409, 76, { exit: 76 }],
    ['FETCH_CHANGED', 409, 65, {}],
    ['LOCK_CHANGED', 412, 75, {}],
    ['OTHER_HOST_SAYS', 409, 1, {}],
    ['OTHER_HOST_SAYS', 409, 1, { exit: 0 }],
    ['OTHER_HOST_SAYS', 409, 1, { exit: 'rm -rf' }],
    ['OTHER_HOST_SAYS', 409, 1, { exit: 256 }],
    ['constructor', 404, 66, {}],
  ] as const
  for (const [code, status, exit, said] of cases) {
    const problem = { status, code, detail: 'no', retryable: false, ...said }
    const host = await listening(t, (_request, response) => void response.writeHead(status).end(JSON.stringify(problem)))
    assert.equal((await backplane(['search', 'x', '--url', host])).code, exit, code)
  }
})
