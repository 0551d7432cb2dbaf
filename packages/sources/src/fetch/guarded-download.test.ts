import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect } from 'node:util'
import { PlatformError } from '@backplane/sdk'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { serving, type Answering, type Serving } from '../fixtures/serving.ts'
import { homeOf, type HomeOptions } from './fetch-home.ts'
import { guardedDownload, type Downloaded, type Downloading } from './guarded-download.ts'

const { signal } = new AbortController()
const secret = 'canary-5b1f'
const quick = { retryDelaysMs: [0, 0] }

const ok: Answering = (_request, response) => response.end('ok')
const leading = (to: string, status = 302): Answering => {
  return (_request, response) => response.writeHead(status, { location: to }).end()
}

interface Asked extends Downloading {
  readonly mostBytes?: number
  readonly type?: 'json' | 'archive' | 'any'
  readonly signal?: AbortSignal
}

function get(home: HomeOptions, { mostBytes = 1_000, type = 'any', ...more }: Asked = {}, path = 'a'): Promise<Downloaded> {
  const named = homeOf(home)
  const wanted = { url: new URL(path, named.url), mostBytes, type }
  return guardedDownload(named, wanted, { signal: more.signal ?? signal }, { limits: quick, ...more })
}

const refusals: readonly (readonly [title: string, home: HomeOptions, more: Asked, reason: RegExp])[] = [
  ['plain http', { url: 'http://registry.example.org' }, {}, /over http: can be changed/],
  ['another scheme', { url: 'ftp://registry.example.org' }, {}, /ftp: is not asked/],
  ['no address at all', { url: 'registry' }, {}, /is no URL/],
  ['a password in the address', { url: 'https://joe:canary-5b1f@registry.example.org' }, {}, /a name or a password/],
  ['a query', { url: 'https://registry.example.org/?token=canary-5b1f' }, {}, /more than a path/],
  [
    'a name of this machine',
    { url: 'https://r.example' },
    at('127.0.0.1'),
    /is at 127\.0\.0\.1, an address that no name may lead to/,
  ],
  ['a name of the metadata service', { url: 'https://r.example' }, at('169.254.169.254'), /no name may lead to/],
  ['the metadata service', { url: 'http://169.254.169.254', allowHttp: true }, {}, /no name may lead to/],
  ['it as IPv6', { url: 'https://[fd00:ec2::254]' }, {}, /no name may lead to/],
  ['it as a number', { url: 'http://2852039166', allowHttp: true }, {}, /no name may lead to/],
  ['loopback in disguise', { url: 'https://[::ffff:127.0.0.1]' }, {}, /no name may lead to/],
  ['a place that leads to no host', { url: 'https://r.example', alsoFrom: ['https://cdn.example'] }, {}, /alsoFrom takes hosts/],
  ['0.0.0.0', { url: 'http://0.0.0.0', allowHttp: true }, {}, /no name may lead to/],
]

for (const [title, home, more, reason] of refusals) {
  test(`nothing is asked of ${title}`, async () => {
    const thrown = await failure(() => get(home, more))
    assert.equal(thrown.code, 'FETCH_ADDRESS_REFUSED')
    assert.match(thrown.message, reason)
    assert.doesNotMatch(inspect(thrown, { depth: 9 }), /canary/)
  })
}

test('a redirect leads only where the options say, and each place on the way is looked at', async (t) => {
  const there = await serving(t, ok)
  const here = await serving(t, leading(`${there.url}b?token=${secret}`))
  await assert.rejects(get(here), { code: 'FETCH_ADDRESS_REFUSED', message: /leads there, and nobody named it/ })
  assert.equal(there.asked.length, 0)
  const { bytes } = await get({ ...here, alsoFrom: [`127.0.0.1:${there.port}`] })
  assert.equal(Buffer.from(bytes).toString(), 'ok')
  const evil: readonly (readonly [string, RegExp])[] = [
    ['http://169.254.169.254/latest/meta-data/', /nobody named it/],
    ['file:///etc/passwd', /file: is not asked/],
    [`http://joe:${secret}@127.0.0.1:${here.port}/`, /a name or a password/],
    ['http://evil.example/', /over http:/],
    ['https://private.example/', /is at 10\.0\.0\.7, an address of a private network/],
    ['https://sneaky.example/', /is at ::1, an address that no name may lead to/],
  ]
  const resolve = async (host: string): Promise<readonly { address: string; family: 4 | 6 }[]> =>
    host.startsWith('private') ? [{ address: '10.0.0.7', family: 4 }] : [{ address: '::1', family: 6 }]
  for (const [to, reason] of evil) {
    here.answer = leading(to)
    const alsoFrom = ['evil.example', 'private.example', 'sneaky.example']
    const error = await failure(() => get({ url: `http://127.0.0.1:${here.port}/`, alsoFrom }, { resolve }))
    assert.equal(error.code, 'FETCH_ADDRESS_REFUSED', to)
    assert.match(error.message, reason)
    assert.doesNotMatch(inspect(error, { depth: 9 }), /canary/)
  }
  here.answer = leading('/a')
  await assert.rejects(get(here), { code: 'FETCH_RESPONSE_INVALID', message: /leads on more than 5 times/ })
  assert.equal(here.asked.length, 2 + evil.length + 6)
  for (const to of ['http://[', '']) {
    here.answer = to === '' ? (_request, response) => response.writeHead(302).end() : leading(to)
    await assert.rejects(get(here), { code: 'FETCH_RESPONSE_INVALID' })
  }
})

test('credentials go to the origin they are for and to no other, and into no error', async (t) => {
  const there = await serving(t, ok)
  const here = await serving(t, leading(`${there.url}b`))
  const home = {
    url: here.url,
    alsoFrom: [`127.0.0.1:${there.port}`],
    credential: () => ({ kind: 'bearer', token: secret }) as const,
  }
  await get(home)
  assert.equal(here.asked[0]?.headers.authorization, `Bearer ${secret}`)
  assert.equal(there.asked[0]?.headers.authorization, undefined)
  await get({ ...home, credential: async () => ({ kind: 'basic', user: 'joe', password: secret }) })
  assert.equal(here.asked[1]?.headers.authorization, `Basic ${Buffer.from(`joe:${secret}`).toString('base64')}`)
  for (const status of [401, 403, 404, 429, 418, 500]) {
    here.answer = (request, response) => response.writeHead(status).end(request.headers.authorization)
    assert.doesNotMatch(inspect(await failure(() => get(home)), { depth: 9 }), /canary/)
  }
  const broken = { ...home, credential: () => ({ kind: 'bearer', token: `${secret}\r\nx: y` }) as const }
  const error = await failure(() => get(broken))
  assert.equal(error.code, 'FETCH_DENIED')
  assert.doesNotMatch(inspect(error, { depth: 9 }), /canary/)
})

const answers: readonly (readonly [status: number, code: string, times: number])[] = [
  [401, 'FETCH_DENIED', 1],
  [403, 'FETCH_DENIED', 1],
  [404, 'FETCH_NOT_FOUND', 1],
  [410, 'FETCH_NOT_FOUND', 1],
  [429, 'FETCH_UNREACHABLE', 1],
  [204, 'FETCH_RESPONSE_INVALID', 1],
  [500, 'FETCH_UNREACHABLE', 3],
  [503, 'FETCH_UNREACHABLE', 3],
]

for (const [status, code, times] of answers) {
  test(`an answer ${status} is ${code}, after ${times} ${times === 1 ? 'attempt' : 'attempts'}`, async (t) => {
    const server = await serving(t, (_request, response) => response.writeHead(status).end())
    await assert.rejects(get(server), { code })
    assert.equal(server.asked.length, times)
  })
}

test('what fails for a moment is asked for again', async (t) => {
  const server: Serving = await serving(t, (_request, response) => {
    response.writeHead(server.asked.length < 3 ? 502 : 200).end('ok')
  })
  assert.equal((await get(server)).bytes.length, 2)
})

test('more than is wanted is not read: neither where it is announced, nor where it never ends', async (t) => {
  const announced = await serving(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 2_000_000_000 }).flushHeaders()
  })
  await assert.rejects(get(announced), { code: 'FETCH_TOO_LARGE', message: /larger than 1000 bytes/ })
  const endless = await serving(t, (_request, response) => {
    const more = (): void => void (response.destroyed || response.write('x'.repeat(500), () => setImmediate(more)))
    more()
  })
  await assert.rejects(get(endless), { code: 'FETCH_TOO_LARGE' })
  const most = await serving(t, (_request, response) => response.end('x'.repeat(1_000)))
  assert.equal((await get(most)).bytes.length, 1_000)
})

test('who says nothing, or stops, or says it drop by drop, is given up', async (t) => {
  const silent = await serving(t, () => {})
  const idle = { limits: { ...quick, idleMs: 50 } }
  await assert.rejects(get(silent, idle), { code: 'FETCH_UNREACHABLE', message: /nothing came for 0\.05 s/ })
  silent.answer = (_request, response) => response.write('x')
  await assert.rejects(get(silent, idle), { code: 'FETCH_UNREACHABLE' })
  silent.answer = (_request, response) => {
    const drip = setInterval(() => response.write('x'), 10)
    response.on('close', () => clearInterval(drip))
  }
  const limits = { ...quick, timeoutMs: 200 }
  await assert.rejects(get(silent, { limits }), { code: 'FETCH_UNREACHABLE', message: /not done within 0\.2 s/ })
  silent.answer = (_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('x')
    setImmediate(() => response.destroy())
  }
  await assert.rejects(get(silent), { code: 'FETCH_UNREACHABLE', message: /closed the connection before it was done/ })
  const stop = new AbortController()
  silent.answer = (_request, response) => response.writeHead(101, { connection: 'upgrade', upgrade: 'x' }).end()
  await assert.rejects(get(silent), { code: 'FETCH_UNREACHABLE' })
  const never = (): Promise<never> => new Promise(() => {})
  const url = 'https://r.example'
  await assert.rejects(get({ url }, { limits, resolve: never }), { code: 'FETCH_UNREACHABLE', message: /not done within/ })
  await assert.rejects(get({ url, credential: never }, { limits, ...at('10.255.255.1') }), { message: /not done within/ })
  silent.answer = () => stop.abort()
  await assert.rejects(get(silent, { signal: stop.signal }), { name: 'AbortError' })
})

test('an answer that is encoded, of another type or no HTTP is not taken', async (t) => {
  const server = await serving(t, (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'))
  await assert.rejects(get(server), { code: 'FETCH_RESPONSE_INVALID', message: /encoded as gzip/ })
  assert.equal(server.asked[0]?.headers['accept-encoding'], 'identity')
  const typed =
    (type: string): Answering =>
    (_request, response) =>
      response.writeHead(200, { 'content-type': type }).end('{}')
  for (const [type, said, isTaken] of [
    ['json', 'application/json; charset=utf-8', true],
    ['json', 'application/vnd.npm.install-v1+json', true],
    ['json', 'text/html', false],
    ['json', 'application/octet-stream', false],
    ['archive', 'application/octet-stream', true],
    ['archive', 'application/gzip', true],
    ['archive', 'text/html; charset=utf-8', false],
    ['archive', 'application/json', false],
  ] as const) {
    server.answer = typed(said)
    if (isTaken) await get(server, { type })
    else await assert.rejects(get(server, { type }), { code: 'FETCH_RESPONSE_INVALID', message: /calls itself/ }, said)
  }
  server.answer = (request) => request.socket.end('nonsense\r\n\r\n')
  await assert.rejects(get(server), { code: 'FETCH_UNREACHABLE', message: /is no HTTP/ })
  server.answer = (request) => request.socket.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`)
  await assert.rejects(get(server), { code: 'FETCH_UNREACHABLE', message: /is no HTTP/ })
})

test('a name is looked up once for each place, and one that has no address is told', async () => {
  const asked: string[] = []
  const limits = { ...quick, idleMs: 100 }
  const resolve = async (host: string): Promise<readonly { address: string; family: 4 }[]> => {
    asked.push(host)
    // the second answer would lead home
    return [{ address: asked.length === 1 ? '10.255.255.1' : '127.0.0.1', family: 4 }]
  }
  await assert.rejects(get({ url: 'https://r.example' }, { resolve, limits }), { code: 'FETCH_UNREACHABLE' })
  assert.deepEqual(asked, ['r.example'])
  await assert.rejects(get({ url: 'https://r.example' }, { resolve: async () => [] }), { message: /its name has no address/ })
  const failing = (): Promise<never> => Promise.reject(new Error('ENOTFOUND'))
  await assert.rejects(get({ url: 'https://r.example' }, { resolve: failing }), {
    code: 'FETCH_UNREACHABLE',
    message: /ENOTFOUND/,
  })
})

test('nothing leads from https to http, and a certificate nobody knows is not taken', async (t) => {
  if (!requireProgram(t, 'openssl', 'openssl')) return
  const plain = await serving(t, ok)
  const { url, certificate } = await secureServer(t, (_request, response) =>
    response.writeHead(302, { location: plain.url }).end(),
  )
  await assert.rejects(get({ url }), { code: 'FETCH_UNREACHABLE', message: /self-signed certificate/ })
  const before = getCACertificates()
  setDefaultCACertificates([...before, certificate])
  t.after(() => setDefaultCACertificates(before))
  const home = { url, allowHttp: true, alsoFrom: [`127.0.0.1:${plain.port}`] }
  await assert.rejects(get(home), { code: 'FETCH_ADDRESS_REFUSED', message: /from https: to http:/ })
  assert.equal(plain.asked.length, 0)
})

function at(address: string): Asked {
  return { resolve: async () => [{ address, family: 4 }] }
}

async function failure(action: () => Promise<unknown>): Promise<PlatformError> {
  const error: unknown = await (async () => action())().then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof PlatformError, inspect(error))
  return error
}

async function secureServer(t: TestContext, answer: Answering): Promise<{ readonly url: string; readonly certificate: string }> {
  const folder = await temporaryDirectory(t)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const named = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...made, ...named, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const certificate = readFileSync(cert, 'utf8')
  const server = createServer(
    { key: readFileSync(key), cert: certificate },
    (request, response) => void answer(request, response),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, certificate }
}
