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
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { serving, type Answering } from '../fixtures/serving.ts'
import type { HomeOptions } from './fetch-home.ts'
import { at, failure, get, leading, ok, quick, type Asked } from './fixtures/download.ts'

const secret = 'canary-5b1f'

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
  const failing = { ...home, credential: () => Promise.reject(new Error(`no ${secret}`)) }
  const lost = await failure(() => get(failing))
  assert.deepEqual([lost.code, inspect(lost, { depth: 9 }).includes(secret)], ['FETCH_DENIED', false])
  const broken = { ...home, credential: () => ({ kind: 'bearer', token: `${secret}\r\nx: y` }) as const }
  const error = await failure(() => get(broken))
  assert.equal(error.code, 'FETCH_DENIED')
  assert.doesNotMatch(inspect(error, { depth: 9 }), /canary/)
})

test('this machine by its name is this machine, and nobody is asked where that is', async (t) => {
  const server = await serving(t, ok)
  const resolve = (): never => assert.fail('nobody is to be asked')
  const url = `http://localhost:${server.port}/`
  assert.equal((await get({ url }, { resolve })).bytes.length, 2)
  assert.equal(server.asked[0]?.headers.host, `localhost:${server.port}`)
  server.answer = leading(server.url)
  await assert.rejects(get({ url }, { resolve }), { code: 'FETCH_ADDRESS_REFUSED' }, 'another name is another place')
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
