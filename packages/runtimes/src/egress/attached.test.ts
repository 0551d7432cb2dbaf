import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import { test, type TestContext } from 'node:test'
import { rawGuest } from '../fixtures/raw-guest.ts'
import { httpServer, httpsServer, ownCertificate, type LocalServer } from '../fixtures/local-servers.ts'
import { networkSubject, type NetworkOutcome } from '../fixtures/network-subject.ts'
import type { EgressOptions } from './egress-options.ts'

// Written in two parts so that its text is nowhere but where it is meant to be.
const secret = ['canary', 'd0b1c2e3f4a5'].join('-')

interface Upstream extends LocalServer {
  readonly options: EgressOptions
  readonly seen: readonly IncomingMessage[]
}

/** A server over TLS for whose requests the host adds a secret; undefined, and the test skipped, without a certificate. */
async function upstream(t: TestContext, answer: RequestListener): Promise<Upstream | undefined> {
  const certificate = await ownCertificate(t)
  if (certificate === undefined) return undefined
  const seen: IncomingMessage[] = []
  const server = await httpsServer(t, certificate, (request, response) => {
    seen.push(request)
    answer(request, response)
  })
  const credentials: EgressOptions['credentials'] = ({ plugin, authority }) =>
    plugin === 'acme/network' && authority === server.authority ? { authorization: `Bearer ${secret}` } : undefined
  return { ...server, seen, options: { credentials, ca: certificate.cert } }
}

function body(outcome: NetworkOutcome): unknown {
  return (outcome.value as { body?: unknown } | undefined)?.body ?? outcome
}

test(
  'the host adds a secret that the plugin never holds, over what the plugin sent, by fetch and https',
  { timeout: 60_000 },
  async (t) => {
    const server = await upstream(t, (request, response) => response.end(`you asked for ${request.url}`))
    if (server === undefined) return
    const { run, instance, host } = await networkSubject(t, { net: [server.authority], egress: server.options })
    const url = `https://${server.authority}`
    const init = { headers: { authorization: 'Bearer mine', 'x-own': 'kept', host: 'other.example' } }
    assert.equal(body(await run('fetch', { url: `${url}/a`, init })), 'you asked for /a')
    assert.equal(body(await run('httpsGet', { url: `${url}/b`, headers: { host: 'other.example' } })), 'you asked for /b')
    assert.equal(
      body(await run('fetch', { url: `${url}/c`, init: { method: 'POST', body: 'x'.repeat(100_000) } })),
      'you asked for /c',
    )
    assert.deepEqual(
      server.seen.map(({ headers }) => [headers.authorization, headers.host]),
      Array.from({ length: 3 }, () => [`Bearer ${secret}`, server.authority]),
    )
    assert.equal(server.seen[0]?.headers['x-own'], 'kept')
    const told = JSON.stringify([await run('everything'), host.lines])
    assert.equal(told.includes(secret), false)
    const heap = await readFile(String((await run('heap')).value), 'utf8')
    assert.ok(heap.includes('acme/network'))
    assert.equal(heap.includes(secret), false)
    assert.equal(await holds(instance.pid, 'acme/network'), true)
    assert.equal(await holds(instance.pid, secret), false)
  },
)

test(
  'a redirect is the plugin’s to follow: the secret does not go along, and off the grants nothing goes',
  { timeout: 60_000 },
  async (t) => {
    const seen: IncomingMessage[] = []
    const [granted, other] = [await httpServer(t, keep), await httpServer(t, keep)]
    function keep(request: IncomingMessage, response: Parameters<RequestListener>[1]): void {
      seen.push(request)
      response.end('there')
    }
    const server = await upstream(t, (request, response) => {
      const to = request.url === '/granted' ? granted : other
      response.writeHead(302, { location: `http://${to.authority}/` }).end()
    })
    if (server === undefined) return
    const { run } = await networkSubject(t, { net: [server.authority, granted.authority], egress: server.options })
    assert.equal(body(await run('fetch', { url: `https://${server.authority}/granted` })), 'there')
    assert.equal((await run('fetch', { url: `https://${server.authority}/other` })).code, 'EGRESS_DENIED')
    assert.deepEqual([seen.length, seen[0]?.headers.authorization, other.connections()], [1, undefined, 0])
  },
)

test('what a server could be asked to send back, and what is no request, goes nowhere', { timeout: 60_000 }, async (t) => {
  const server = await upstream(t, (request, response) => response.end('reached'))
  if (server === undefined) return
  const options: EgressOptions = { ...server.options, credentials: () => ({ 'x-token': secret }), limits: { headerBytes: 2_048 } }
  const { ask } = await rawGuest(t, [server.authority], options)
  const lines = [
    'TRACE / HTTP/1.1',
    'GET http://other.example/ HTTP/1.1',
    'CONNECT a:1 HTTP/1.1',
    `GET / HTTP/1.1\r\na: ${'b'.repeat(4_096)}`,
    'nonsense',
  ]
  for (const line of lines) {
    const { status, stream } = await ask(server.authority, true)
    assert.equal(status, 200)
    stream.end(`${line}\r\nHost: a\r\nContent-Length: 0\r\n\r\n`)
    let heard = ''
    for await (const part of stream) heard += String(part)
    assert.match(heard, /^(?:HTTP\/1\.1 4\d\d .*)?$/s, line)
  }
  assert.equal(server.seen.length, 0)
})

test('more requests on one connection than are ever answered end it', { timeout: 60_000 }, async (t) => {
  const server = await upstream(t, () => undefined)
  if (server === undefined) return
  const { ask } = await rawGuest(t, [server.authority], { ...server.options, credentials: () => ({ 'x-token': secret }) })
  const { stream } = await ask(server.authority, true)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.resume().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(64))
  await closed
  assert.ok(server.seen.length <= 1)
})

test('no noise on such a connection harms the host', { timeout: 60_000 }, async (t) => {
  const server = await upstream(t, (request, response) => {
    if (request.url === '/odd')
      response.socket?.end('HTTP/1.1 200 \u0001odd\r\nX-Odd: \u0080\u00ff\r\nContent-Length: 3\r\n\r\nodd')
    else response.end('reached')
  })
  if (server === undefined) return
  const { ask } = await rawGuest(t, [server.authority], { ...server.options, credentials: () => ({ 'x-token': secret }) })
  const request = Buffer.from(
    'POST /a HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  )
  for (let at = 0; at < 100; at++) {
    const { stream } = await ask(server.authority, true)
    const noisy = Buffer.from(at % 10 === 0 ? String(request).replace('/a', '/odd') : request)
    for (let flips = at % 7; flips > 0; flips--) noisy[randomInt(noisy.length)] = randomInt(256)
    const closed = new Promise((resolve) => stream.once('close', resolve))
    stream.resume().end(noisy.subarray(0, at % 3 === 0 ? randomInt(noisy.length) : undefined))
    if (at % 2 === 0) stream.close()
    await closed
  }
  const { stream } = await ask(server.authority, true)
  stream.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let heard = ''
  for await (const part of stream) heard += String(part)
  assert.match(heard, /reached$/)
})

test('a host that cannot get its credentials keeps why to itself', { timeout: 60_000 }, async (t) => {
  const server = await upstream(t, (_, response) => response.end('reached'))
  if (server === undefined) return
  const options: EgressOptions = { ...server.options, credentials: () => Promise.reject(new Error(`wrong: ${secret}`)) }
  const { error } = await (await rawGuest(t, [server.authority], options)).ask(server.authority, true)
  assert.deepEqual([error?.code, JSON.stringify(error).includes(secret)], ['EGRESS_DENIED', false])
})

test(
  'a place without credentials, or with a certificate of nobody’s, is not connected to with any',
  { timeout: 60_000 },
  async (t) => {
    const server = await upstream(t, (_, response) => response.end('reached'))
    if (server === undefined) return
    const without = await rawGuest(t, [server.authority])
    assert.equal((await without.ask(server.authority, true)).error?.code, 'EGRESS_DENIED')
    const { credentials = () => undefined } = server.options
    const { run } = await networkSubject(t, { net: [server.authority], egress: { credentials } })
    assert.match((await run('fetch', { url: `https://${server.authority}/` })).code ?? '', /SELF_SIGNED/)
    assert.equal(server.seen.length, 0)
  },
)

test('plain HTTP to a place with credentials goes without them', { timeout: 60_000 }, async (t) => {
  const seen: IncomingMessage[] = []
  const web = await httpServer(t, (request, response) => {
    seen.push(request)
    response.end('plain')
  })
  const egress: EgressOptions = { credentials: () => ({ authorization: secret }) }
  const { run } = await networkSubject(t, { net: [web.authority], egress })
  assert.equal(body(await run('fetch', { url: `http://${web.authority}/` })), 'plain')
  assert.equal(seen[0]?.headers.authorization, undefined)
})

/** Whether a process has this text anywhere in what it may write to. */
async function holds(pid: number, text: string): Promise<boolean> {
  const wanted = Buffer.from(text)
  const maps = (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n')
  await using memory = await open(`/proc/${pid}/mem`, 'r')
  for (const line of maps) {
    const found = /^(?<from>[\da-f]+)-(?<to>[\da-f]+) rw/.exec(line)?.groups
    if (found === undefined) continue
    const [from, to] = [Number.parseInt(found['from'] ?? '', 16), Number.parseInt(found['to'] ?? '', 16)]
    for (let at = from; at < to; at += stepBytes) {
      const buffer = Buffer.alloc(Math.min(stepBytes + wanted.length, to - at))
      const { bytesRead } = await memory.read(buffer, 0, buffer.length, at).catch(() => ({ bytesRead: 0 }))
      if (buffer.subarray(0, bytesRead).includes(wanted)) return true
    }
  }
  return false
}

const stepBytes = 4 * 1024 ** 2
