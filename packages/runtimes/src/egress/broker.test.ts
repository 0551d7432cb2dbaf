import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import { echoServer, tcpServer } from '../fixtures/local-servers.ts'
import { rawGuest, socketEnds } from '../fixtures/raw-guest.ts'
import { serveEgress } from './broker.ts'
import { dial } from './dial.ts'
import { parseAuthority } from './authority.ts'
import type { ResolvedAddress } from './vetted-addresses.ts'

test('a granted place is reached, counted, and ends with the plugin', async (t) => {
  const server = await echoServer(t)
  const { ask, broker, violations } = await rawGuest(t, [server.authority])
  const { status, stream } = await ask(server.authority)
  assert.equal(status, 200)
  stream.write('hello')
  assert.equal(String((await once(stream, 'data'))[0]), 'hello')
  assert.deepEqual(broker.counts(), { connections: 1, open: 1, refused: 0, receivedBytes: 5, sentBytes: 5 })
  const [socket] = server.sockets
  const closed = once(socket ?? assert.fail('nobody came'), 'close')
  broker[Symbol.dispose]()
  await closed
  assert.equal(server.connections(), 1)
  assert.deepEqual(violations, [])
})

test('each side may end before the other, and what was under way arrives', async (t) => {
  const server = await tcpServer(t, (socket) => {
    socket.resume()
    socket.once('end', () => socket.end('all of it'))
  })
  const { ask } = await rawGuest(t, [server.authority])
  const { stream } = await ask(server.authority)
  stream.end('something')
  let heard = ''
  for await (const part of stream) heard += String(part)
  assert.equal(heard, 'all of it')
})

const loopback = [
  '127.0.0.1',
  'localhost',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '0.0.0.0',
]
const elsewhere = ['169.254.169.254', '[fe80::1%25eth0]', 'metadata.google.internal', '']
const tricks = (
  'allowed.example. allowed.example%00.evil.example user@allowed.example user:p@allowed.example .allowed.example ' +
  'allowed.example.evil.example evilallowed.example allowed.example@evil.example allowed.example#evil.example'
).split(' ')

test('no spelling of another place is taken for a granted one: refused, told, and nobody is asked or dialled', async (t) => {
  const server = await echoServer(t)
  const asked: string[] = []
  const resolve = async (host: string): Promise<readonly ResolvedAddress[]> => (asked.push(host), [])
  const { ask, violations } = await rawGuest(t, ['allowed.example:443', '127.0.0.1:1'], { resolve })
  const hosts = [...loopback, ...elsewhere, ...tricks].map((host) => `${host}:${server.port}`)
  const ports = ['allowed.example:80', 'allowed.example:0443', 'allowed.example:', 'allowed.example', 'allowed.example:443:443']
  const spellings = [...hosts, ...tricks.map((host) => `${host}:443`), ...ports]
  for (const authority of spellings) {
    const { status, error } = await ask(authority)
    // HTTP/2 itself resets what has no form of an authority at all.
    if (!Number.isNaN(status)) assert.deepEqual([status, error?.code], [403, 'EGRESS_DENIED'], authority)
    else assert.match(authority, /[@#%]|^:/)
  }
  assert.deepEqual([server.connections(), asked], [0, []])
  assert.ok(violations.length >= 22)
  assert.ok(violations.every((one) => one.kind === 'grant' && one.permission.startsWith('net:connect ')))
  const upper = await ask('ALLOWED.Example:443')
  assert.deepEqual([upper.status, asked], [403, ['allowed.example']])
  assert.match(upper.error?.message ?? '', /allowed\.example has no address/)
})

test('a refusal names the place and what the manifest must ask for', async (t) => {
  const { error } = await (await rawGuest(t, [])).ask('example.com:443')
  assert.equal(error?.message, 'acme/raw may not connect to example.com:443: it is not granted')
  assert.match(error?.hint ?? '', /"net:connect example\.com:443"/)
  assert.deepEqual(error?.details, { permission: 'net:connect example.com:443' })
})

test('a granted name that leads to a private or special address is refused; another answer is not waited for', async (t) => {
  const server = await echoServer(t)
  const authority = `rebound.example:${server.port}`
  const answers = ['127.0.0.1', '10.0.0.1', '::ffff:127.0.0.1', '127.0.0.1']
  let asked = 0
  const resolve = async (): Promise<readonly ResolvedAddress[]> => {
    const address = answers[asked++] ?? assert.fail('asked too often')
    return [{ address, family: address.includes(':') ? 6 : 4 }]
  }
  const { ask, violations } = await rawGuest(t, [authority], {
    resolve,
    allowPrivate: ({ authority: text }) => text === 'other:1',
  })
  for (const address of answers) {
    const { error } = await ask(authority)
    assert.equal(error?.code, 'EGRESS_DENIED')
    assert.ok(error?.message.includes(address), error?.message)
  }
  assert.deepEqual([asked, violations.length, server.connections()], [4, 4, 0])
})

test('a name is not asked for again while its answer is awaited', async (t) => {
  const answer = Promise.withResolvers<readonly ResolvedAddress[]>()
  const asked: string[] = []
  const resolve = (host: string): Promise<readonly ResolvedAddress[]> => {
    asked.push(host)
    return answer.promise
  }
  const { ask } = await rawGuest(t, ['slow.example:1', 'slow.example:2'], { resolve })
  const both = [ask('slow.example:1'), ask('slow.example:2')]
  // Answered in the order of asking, so both have been taken in then.
  await ask('other.example:1')
  answer.resolve([])
  const answers = await Promise.all(both)
  assert.deepEqual([...asked, ...answers.map(({ error }) => error?.code)], ['slow.example', 'EGRESS_DENIED', 'EGRESS_DENIED'])
})

test('what is dialled is the address that was vetted, whatever the name would lead to', async (t) => {
  const server = await echoServer(t)
  const authority = parseAuthority(`no-such-name.invalid:${server.port}`) ?? assert.fail('no authority')
  const never = new AbortController().signal
  const socket = await dial(authority, [{ address: '127.0.0.1', family: 4 }], never)
  assert.equal(socket.remoteAddress, '127.0.0.1')
  socket.destroy()
  await assert.rejects(
    dial(authority, [{ address: '127.0.0.1', family: 4 }], AbortSignal.abort(new Error('given up'))),
    /given up/,
  )
})

test('a name nobody knows, and a place nobody listens at, fail as they do without a broker', async (t) => {
  const server = await echoServer(t)
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.example'), { code: 'ENOTFOUND' })
  const { ask, violations } = await rawGuest(t, ['nowhere.example:443', '127.0.0.1:1'], {
    resolve: () => Promise.reject(unknown),
  })
  assert.equal((await ask('nowhere.example:443')).error?.code, 'ENOTFOUND')
  assert.equal((await ask('127.0.0.1:1')).error?.code, 'ECONNREFUSED')
  assert.deepEqual([violations, server.connections()], [[], 0])
})

test('more connections at once than the limit are refused until one is closed', async (t) => {
  const server = await echoServer(t)
  const { ask } = await rawGuest(t, [server.authority], { limits: { connections: 2 } })
  const [first] = [await ask(server.authority), await ask(server.authority)]
  const { error } = await ask(server.authority)
  assert.deepEqual([error?.code, error?.retryable, server.connections()], ['EGRESS_BUSY', true, 2])
  const [socket] = server.sockets
  const closed = once(socket ?? assert.fail('nobody came'), 'close')
  first.stream.close()
  await closed
  let status = 0
  while (status !== 200) ({ status } = await ask(server.authority))
})

test(
  'a name whose addresses do not come, and a connection that carries nothing, are given up',
  { timeout: 20_000 },
  async (t) => {
    const server = await echoServer(t)
    const limits = { connectMs: 30, idleMs: 30 }
    const unanswered = (): Promise<never> => new Promise(() => undefined)
    const { ask } = await rawGuest(t, ['slow.example:443', server.authority], { limits, resolve: unanswered })
    assert.equal((await ask('slow.example:443')).error?.code, 'ETIMEDOUT')
    const { stream } = await ask(server.authority)
    await new Promise((resolve) => stream.once('close', resolve))
  },
)

test('what is said to a broker beside CONNECT is refused', async (t) => {
  const { session } = await rawGuest(t, ['a.example:443'])
  const stream = session.request({ ':path': '/', ':authority': 'a.example:443' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 403)
})

test('garbage ends a plugin’s network and nothing else', { timeout: 30_000 }, async (t) => {
  const server = await echoServer(t)
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  for (let at = 0; at < 200; at++) {
    const [host, guest] = await socketEnds(t)
    const told: string[] = []
    const closed = new Promise((resolve) => host.once('close', resolve))
    guest.on('error', () => undefined)
    const broker = serveEgress({
      socket: host,
      plugin: 'acme/raw',
      granted: new Set([server.authority]),
      options: {},
      violated: () => assert.fail('nothing was asked for'),
      used: () => assert.fail('nothing was asked for'),
      broken: (reason) => void told.push(reason),
    })
    const noise = randomBytes(1 + (at % 97) * 7)
    guest.end(at % 2 === 0 ? noise : Buffer.concat([preface, noise]))
    await closed
    assert.ok(told.length <= 1)
    assert.equal(broker.counts().connections, 0)
  }
  assert.equal(server.connections(), 0)
})
