import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { echoServer, httpServer, httpsServer, localServer, ownCertificate, tcpServer } from '../fixtures/local-servers.ts'
import { networkSubject, type NetworkOptions, type NetworkOutcome, type NetworkSubject } from '../fixtures/network-subject.ts'

const hello: RequestListener = (request, response) => response.end(`you asked for ${request.url}`)
const value = (outcome: NetworkOutcome): Record<string, unknown> => Object(outcome.value) as Record<string, unknown>

const places: Readonly<Record<string, Partial<NetworkOptions>>> = {
  'in a child of its own': {},
  'in a child from the pool': { pool: { size: 1 } },
  'in a sandbox': { floor: 'os' },
}

for (const [place, options] of Object.entries(places)) {
  describe(`plain network code ${place}`, { concurrency: 1 }, () => {
    const rule = (
      title: string,
      check: (start: (...net: string[]) => Promise<NetworkSubject>, t: TestContext) => Promise<void>,
    ): void => {
      test(title, { timeout: 60_000 }, async (t) => {
        if (options.floor === 'os' && !requireProgram(t, 'bwrap', 'bubblewrap')) return
        await check((...net) => networkSubject(t, { ...options, net }), t)
      })
    }

    rule('reaches what was granted by fetch, http, a kept connection, net and WebSocket', async (start, t) => {
      const [web, echo, sockets] = [await httpServer(t, hello), await echoServer(t), await webSocketServer(t)]
      const { run, host, instance } = await start(web.authority, echo.authority, sockets.authority)
      assert.equal(value(await run('fetch', { url: `http://${web.authority}/a` }))['body'], 'you asked for /a')
      assert.equal(value(await run('httpGet', { url: `http://${web.authority}/b` }))['body'], 'you asked for /b')
      const parts = ['one', 'two', 'three']
      assert.deepEqual(await run('httpPost', { url: `http://${web.authority}/`, parts }), { value: 'you asked for /' })
      const before = web.connections()
      const kept = await run('httpKept', { url: `http://${web.authority}/c`, times: 5 })
      assert.deepEqual([kept.value, web.connections() - before], [Array(5).fill('you asked for /c'), 1])
      const said = await run('echo', { options: { port: echo.port, host: '127.0.0.1' }, say: 'over TCP' })
      assert.deepEqual(said.value, { heard: 'over TCP', address: '127.0.0.1', port: echo.port, pending: false })
      assert.deepEqual(await run('websocket', { url: `ws://${sockets.authority}/`, say: 'hi' }), { value: 'hi' })
      assert.deepEqual(host.violations, [])
      const { network } = await instance.usage(10_000)
      assert.equal(network?.refused, 0)
      assert.ok((network?.connections ?? 0) >= 5 && (network?.receivedBytes ?? 0) > 500 && (network?.sentBytes ?? 0) > 500)
    })

    rule('reaches nothing else: other ports, addresses, names, datagrams, paths of sockets', async (start, t) => {
      const [granted, other] = [await echoServer(t), await echoServer(t)]
      const datagrams = createSocket('udp4')
      let packets = 0
      datagrams.on('message', () => (packets += 1))
      datagrams.bind(0, '127.0.0.1')
      await once(datagrams, 'listening')
      t.after(() => datagrams.close())
      const path = join(await temporaryDirectory(t), 'socket')
      let visits = 0
      const paths = createServer(() => (visits += 1))
      paths.listen(path)
      await once(paths, 'listening')
      t.after(() => paths.close())
      const { run, host } = await start(granted.authority)
      for (const at of ['127.0.0.1', 'localhost', '::1', '127.1', '0', '::ffff:127.0.0.1', 'a\0b', 'bücher.example', 'a@b', '']) {
        const outcome = await run('reach', { options: { host: at, port: other.port } })
        assert.equal(outcome.code, 'EGRESS_DENIED', `${at}: ${JSON.stringify(outcome)}`)
      }
      assert.equal((await run('fetch', { url: `http://127.0.0.1:${other.port}/` })).code, 'EGRESS_DENIED')
      assert.equal((await run('tlsEcho', { options: { host: '127.0.0.1', port: other.port }, say: '' })).code, 'EGRESS_DENIED')
      assert.equal(host.violations.length, 12)
      const denied = await run('udp', { port: datagrams.address().port })
      assert.ok(denied.code !== undefined, JSON.stringify(denied))
      assert.ok((await run('reach', { options: { path } })).code !== undefined)
      assert.ok((await run('reach', { options: { path: '\0abstract' } })).code !== undefined)
      assert.equal((await run('lookup', { host: 'localhost' })).code, 'EGRESS_BY_NAME')
      assert.ok((await run('resolve', { host: 'localhost' })).code !== undefined)
      assert.deepEqual([granted.connections(), other.connections(), packets, visits], [0, 0, 0, 0])
    })

    rule('is denied a redirect to another place, and follows one to a granted place', async (start, t) => {
      const other = await httpServer(t, hello)
      const web = await httpServer(t, (request, response) => {
        const to = request.url === '/out' ? `http://${other.authority}/` : '/in'
        if (request.url === '/in') response.end('inside')
        else response.writeHead(302, { location: to }).end()
      })
      const { run } = await start(web.authority)
      assert.equal(value(await run('fetch', { url: `http://${web.authority}/` }))['body'], 'inside')
      assert.equal((await run('fetch', { url: `http://${web.authority}/out` })).code, 'EGRESS_DENIED')
      assert.equal(other.connections(), 0)
    })
  })
}

test('TLS is between the plugin and the place: https, tls, fetch and HTTP/2', { timeout: 60_000 }, async (t) => {
  const certificate = await ownCertificate(t)
  if (certificate === undefined) return
  const web = await httpsServer(t, certificate, hello)
  const echo = await localServer(
    t,
    createTlsServer({ ...certificate, allowHalfOpen: true }, (socket) => socket.pipe(socket)),
  )
  const second = createHttp2Server((_request, response) => response.end('over HTTP/2'))
  const plain2 = await localServer(t, second)
  const { run } = await networkSubject(t, { net: [`localhost:${web.port}`, echo.authority, plain2.authority] })
  const ca = certificate.cert
  assert.equal(value(await run('httpsGet', { url: `https://localhost:${web.port}/x`, ca }))['body'], 'you asked for /x')
  const said = await run('tlsEcho', { options: { host: '127.0.0.1', port: echo.port, ca }, say: 'secretly' })
  assert.deepEqual(said.value, { heard: 'secretly', authorized: true, protocol: 'TLSv1.3' })
  assert.match((await run('fetch', { url: `https://localhost:${web.port}/` })).code ?? '', /SELF_SIGNED/)
  assert.deepEqual(await run('http2Get', { url: `http://${plain2.authority}` }), { value: 'over HTTP/2' })
})

test(
  'fifty requests at once are answered each with its own answer; fifty given up leave nothing behind',
  { timeout: 60_000 },
  async (t) => {
    const endless: RequestListener = (request, response) => {
      if (request.url !== '/endless') return void response.end(`you asked for ${request.url}`)
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        response.once('drain', more)
      }
      more()
    }
    const web = await httpServer(t, endless)
    const { run } = await networkSubject(t, { net: [web.authority] })
    const bodies = await run('many', { url: `http://${web.authority}/`, count: 50 })
    assert.deepEqual(
      bodies.value,
      Array.from({ length: 50 }, (_, at) => `you asked for /?${at}`),
    )
    const given = await run('cancel', { url: `http://${web.authority}/endless`, count: 50 })
    assert.deepEqual(given.value, Array(50).fill('AbortError'))
    const left = [...web.sockets].filter((socket) => socket.writableLength > 0)
    await Promise.all(left.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    assert.equal(value(await run('fetch', { url: `http://${web.authority}/after` }))['body'], 'you asked for /after')
  },
)

test('a plugin that reads slowly holds its server back, and gets all of it in the end', { timeout: 60_000 }, async (t) => {
  const wholeBytes = 64 * 1024 ** 2
  let sent = 0
  const source = await tcpServer(t, (socket) => {
    const more = (): void => {
      while (sent < wholeBytes) {
        sent += 65_536
        if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more)
      }
      socket.end()
    }
    socket.once('data', more)
  })
  const web = await httpServer(t, hello)
  const { run } = await networkSubject(t, { net: [source.authority, web.authority] })
  assert.deepEqual(await run('begin', { options: { host: '127.0.0.1', port: source.port } }), { value: true })
  // While one connection stands still, others go on; that long is long enough for all of it.
  for (let at = 0; at < 50; at++) await run('fetch', { url: `http://${web.authority}/` })
  assert.ok(sent < 24 * 1024 ** 2, `${sent} bytes left the server`)
  assert.deepEqual(await run('rest'), { value: wholeBytes })
})

test('a server that reads slowly holds the plugin back, and gets all of it in the end', { timeout: 60_000 }, async (t) => {
  const web = await httpServer(t, (request, response) => {
    let bytes = 0
    const one = (): void => {
      bytes += (request.read() as Buffer | null)?.length ?? 0
    }
    request.on('readable', () => setImmediate(one))
    request.once('end', () => response.end(String(bytes)))
  })
  const { run } = await networkSubject(t, { net: [web.authority] })
  const bytes = 16 * 1024 ** 2
  const answer = await run('upload', { url: `http://${web.authority}/`, bytes })
  assert.deepEqual(answer, { value: String(bytes) })
})

test('a socket keeps its own timeout', async (t) => {
  const silent = await tcpServer(t, () => undefined)
  const { run } = await networkSubject(t, { net: [silent.authority] })
  assert.deepEqual(await run('timeout', { options: { host: '127.0.0.1', port: silent.port } }), { value: 'timed out' })
})

test('a plugin that writes garbage to its broker loses its network, and that is told', async (t) => {
  const web = await httpServer(t, hello)
  const { run, host } = await networkSubject(t, { net: [web.authority] })
  await run('garbage', { bytes: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4) })
  const { code } = await run('fetch', { url: `http://${web.authority}/` })
  assert.match(code ?? '', /^(?:EGRESS_CLOSED|ECONNRESET|EPIPE)$/)
  while ((await run('fetch', { url: `http://${web.authority}/` })).code !== 'EGRESS_CLOSED');
  assert.ok(host.lines.some(({ message }) => message.includes('something else than HTTP/2')))
  assert.equal(web.connections(), 0)
})

test('a grant that has no exact spelling is refused before anything is started', async (t) => {
  for (const grant of ['a.example.:443', 'a.example:0443', '010.0.0.1:80']) {
    await assert.rejects(networkSubject(t, { net: [grant] }), { code: 'EGRESS_GRANT_INVALID' })
  }
})

test('connections end with the plugin', async (t) => {
  const silent = await tcpServer(t, () => undefined)
  const { run, instance } = await networkSubject(t, { net: [silent.authority] })
  await run('timeout', { options: { host: '127.0.0.1', port: silent.port } })
  const held = run('echo', { options: { host: '127.0.0.1', port: silent.port }, say: 'never answered' }).catch(() => undefined)
  while (![...silent.sockets].some((socket) => socket.bytesRead > 0 || socket.readableLength > 0)) await new Promise(setImmediate)
  const closed = [...silent.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
  for (const socket of silent.sockets) socket.resume()
  await instance.stop(0)
  for (const socket of silent.sockets) socket.end()
  await Promise.all([held, ...closed])
})

/** Just enough of a server for one client. Source: RFC 6455 §4.2. */
function webSocketServer(t: TestContext): Promise<{ readonly authority: string }> {
  return tcpServer(t, (socket) => {
    socket.once('data', (head) => {
      const key = /sec-websocket-key: (\S+)/i.exec(String(head))?.[1] ?? ''
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      socket.write(
        `HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
      socket.once('data', (frame: Buffer) => {
        const length = (frame[1] ?? 0) & 127
        const mask = frame.subarray(2, 6)
        const text = frame.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0))
        socket.write(Buffer.concat([Buffer.from([0x81, length]), text]))
        socket.on('data', () => socket.end())
      })
    })
  })
}
