import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listening } from './fixtures/listening.ts'
import { backplane } from './fixtures/run-backplane.ts'

const finding = { kind: 'missing', subject: 'acme/s3', problem: 'the store does not hold 1.0.0 whole' }

test('doctor names what is not as it should be on the disk; --fix says what it did, and ends with 1 where something is left', async (t) => {
  const asked: string[] = []
  let isLeft = false
  const host = await listening(t, (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.setHeader('content-type', 'application/json')
    const system = { sandbox: true, layers: [{ layer: 'sandbox', available: true, mechanism: 'bubblewrap', detail: '' }] }
    const fixed = {
      ...finding,
      fixed: !isLeft,
      action: isLeft ? 'could not be fetched: nobody is there' : 'fetched from where the lock says',
    }
    const answers: Readonly<Record<string, unknown>> = {
      '/api/system': system,
      '/api/store/findings': { ok: false, findings: [{ ...finding, fixed: false, action: 'is to be fetched' }] },
      '/api/plugins': {
        plugins: [
          { id: 'acme/s3', audit: { on: true, reason: null } },
          { id: 'acme/b2', audit: { on: false, reason: 'it is trusted' } },
          { id: 'acme/old' },
        ],
      },
      '/api/store/repair': { ok: !isLeft, findings: [fixed] },
    }
    response.end(JSON.stringify(answers[String(request.url)]))
  })
  const told = await backplane(['doctor', '--url', host])
  assert.deepEqual(
    [
      told.code,
      told.err.startsWith('acme/s3: the store does not hold 1.0.0 whole; is to be fetched. Run: backplane doctor --fix\n'),
    ],
    [1, true],
    told.err,
  )
  assert.match(told.err, /\nacme\/s3 runs in audit mode: .*\nacme\/b2 was to run in audit mode, and does not: it is trusted\n$/)
  assert.deepEqual(asked, ['GET /api/system', 'GET /api/store/findings', 'GET /api/plugins'], 'nothing is changed without --fix')
  const json = JSON.parse((await backplane(['doctor', '--json', '--url', host])).out)
  assert.deepEqual([json.healthy, json.storage.findings.length], [false, 1])

  const fixed = await backplane(['doctor', '--fix', '--url', host])
  assert.deepEqual(
    [fixed.code, fixed.out],
    [0, '✓ acme/s3: the store does not hold 1.0.0 whole; fetched from where the lock says\n'],
  )
  isLeft = true
  const left = await backplane(['doctor', '--fix', '--json', '--url', host])
  assert.deepEqual([left.code, JSON.parse(left.out).ok], [1, false])
  assert.match((await backplane(['doctor', '--fix', '--url', host])).out, /^✗ acme\/s3: .*nobody is there\n$/)
  assert.equal((await backplane(['doctor', '--fix'])).code, 2, 'there is no host to be put right')
})

test('a host that keeps no packages, or is older, is examined as before', async (t) => {
  const host = await listening(t, (request, response) => {
    response.setHeader('content-type', request.url === '/api/system' ? 'application/json' : 'application/problem+json')
    const problem = { status: 404, code: 'SERVER_ROUTE_UNKNOWN', detail: 'there is no such route', retryable: false }
    const layers = [{ layer: 'sandbox', available: true, mechanism: 'bubblewrap', detail: '' }]
    if (request.url !== '/api/system') response.writeHead(404)
    response.end(JSON.stringify(request.url === '/api/system' ? { sandbox: true, layers } : problem))
  })
  assert.equal((await backplane(['doctor', '--url', host])).code, 0)
})
