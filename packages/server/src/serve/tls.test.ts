import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { test, type TestContext } from 'node:test'
import type { KernelLogLine } from '@backplane/kernel'
import { requireProgram } from '@backplane/testing'
import { guard } from '../guard/guard.ts'
import { tokenDigest } from '../guard/token.ts'
import type { Handler } from '../handler.ts'
import { serve } from './serve.ts'
import type { TlsFiles } from './tls-files.ts'

const hello: Handler = (_request, peer) => Response.json({ secure: peer.secure })
const secret = 't'.repeat(43)
const token = { name: 'test', sha256: tokenDigest(secret), scope: 'admin' as const }

/** A certificate of this machine's own making, or undefined where that cannot be made. */
async function certificate(t: TestContext): Promise<(TlsFiles & { readonly directory: string }) | undefined> {
  if (!requireProgram(t, 'openssl', 'openssl')) return undefined
  const directory = await mkdtemp(join(tmpdir(), 'tls-'))
  t.after(() => rm(directory, { recursive: true }))
  const files = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', [...made, ...named, '-keyout', files.key, '-out', files.certificate], { stdio: 'ignore' })
  return { ...files, directory }
}

interface Got {
  readonly status: number
  readonly text: string
}

async function get(port: number, ca: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> {
  const sent = request({
    host: '127.0.0.1',
    port,
    path: '/api/plugins',
    ca,
    servername: 'localhost',
    headers,
    agent: false,
  }).end()
  const [answer] = await once(sent, 'response')
  return { status: answer.statusCode, text: await text(answer) }
}

test('an address that other machines reach is refused without TLS', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
    await assert.rejects(
      serve(hello, { tcp: { host, port: 0 } }),
      { code: 'SERVER_ADDRESS_REMOTE', hint: /127\.0\.0\.1.*TLS/ },
      host,
    )
  }
})

test('with TLS it is taken, asks for a token, and the log says what that risks', async (t) => {
  const tls = await certificate(t)
  if (tls === undefined) return
  const log: KernelLogLine[] = []
  const guarded = guard({ tokens: [token], hosts: ['host.example:8443'], access: { 'GET /api/plugins': { scope: 'read' } } })(
    hello,
  )
  await using served = await serve(guarded, {
    tcp: { host: '0.0.0.0', port: 0, tls },
    log: { write: (line) => void log.push(line) },
  })
  const port = served.tcp?.port ?? 0
  assert.match(served.tcp?.url ?? '', /^https:\/\/0\.0\.0\.0:\d+$/)
  assert.deepEqual(
    log.map(({ level, message }) => [level, /other machines reach the API: whoever has a token/.test(message)]),
    [['warn', true]],
  )
  const ca = await readFile(tls.certificate, 'utf8')
  assert.equal((await get(port, ca)).status, 401)
  const authorization = `Bearer ${secret}`
  assert.deepEqual(await get(port, ca, { authorization }), { status: 200, text: '{"secure":true}' })
  assert.equal((await get(port, ca, { authorization, host: 'host.example:8443' })).status, 200)
  assert.equal((await get(port, ca, { authorization, host: 'evil.example:8443' })).status, 421)
  assert.equal((await get(port, ca, { authorization, origin: `https://127.0.0.1:${port}` })).status, 200)
  assert.equal(
    (await get(port, ca, { authorization, origin: `http://127.0.0.1:${port}` })).status,
    403,
    'its own name without TLS',
  )
})

test('on loopback nothing is warned of', async (t) => {
  const tls = await certificate(t)
  if (tls === undefined) return
  const log: KernelLogLine[] = []
  await using served = await serve(hello, { tcp: { port: 0, tls }, log: { write: (line) => void log.push(line) } })
  assert.equal((await get(served.tcp?.port ?? 0, await readFile(tls.certificate, 'utf8'))).status, 200)
  assert.deepEqual(log, [])
})

test('what does not speak TLS, or an old one, is cut off, and the server lives', async (t) => {
  const tls = await certificate(t)
  if (tls === undefined) return
  await using served = await serve(hello, { tcp: { port: 0, tls }, limits: { headersTimeoutMs: 100 } })
  const port = served.tcp?.port ?? 0
  await assert.rejects(once(plainRequest({ host: '127.0.0.1', port, agent: false }).end(), 'response'))
  const silent = connectTcp(port, '127.0.0.1')
  silent.on('error', () => undefined)
  assert.equal(await text(silent).catch(() => ''), '')
  const old = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' })
  await assert.rejects(once(old, 'secureConnect'))
  assert.equal((await get(port, await readFile(tls.certificate, 'utf8'))).status, 200)
})

test('connections that only hold a place keep nobody out, also behind TLS, and those in a request stay', async (t) => {
  const tls = await certificate(t)
  if (tls === undefined) return
  const begun = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const slow: Handler = async () => {
    begun.resolve()
    await release.promise
    return new Response('late')
  }
  await using served = await serve(slow, { tcp: { port: 0, tls }, limits: { connections: 4 } })
  const port = served.tcp?.port ?? 0
  const ca = await readFile(tls.certificate, 'utf8')
  const answer = get(port, ca)
  await begun.promise
  const gone: Promise<unknown>[] = []
  for (let count = 0; count < 8; count++) {
    const socket = connectTcp(port, '127.0.0.1')
    socket.on('error', () => undefined)
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    if (count < 5) gone.push(once(socket, 'close'))
  }
  await Promise.all(gone)
  release.resolve()
  assert.equal((await answer).text, 'late')
  // Closing waits for nobody who has not shaken hands; the deadline would fail with the test's own.
  await served.close(60_000)
})

test('a certificate that is missing, or is none, is told before anything listens', async (t) => {
  const tls = await certificate(t)
  if (tls === undefined) return
  const missing = { ...tls, key: join(tls.directory, 'nowhere.pem') }
  await assert.rejects(serve(hello, { tcp: { port: 0, tls: missing } }), {
    code: 'SERVER_TLS_INVALID',
    message: /nowhere\.pem.*ENOENT/,
  })
  const none = { ...tls, certificate: join(tls.directory, 'none.pem') }
  await writeFile(none.certificate, 'hello')
  await assert.rejects(serve(hello, { tcp: { port: 0, tls: none } }), { code: 'SERVER_TLS_INVALID' })
})
