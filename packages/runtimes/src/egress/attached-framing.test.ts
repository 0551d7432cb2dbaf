import assert from 'node:assert/strict'
import { createServer } from 'node:tls'
import { test, type TestContext } from 'node:test'
import { localServer, ownCertificate } from '../fixtures/local-servers.ts'
import { rawGuest, type RawGuest } from '../fixtures/raw-guest.ts'
import type { EgressOptions } from './egress-options.ts'

const secret = ['canary', '5f0e9a'].join('-')

interface Wire {
  /** What came over each connection, byte for byte. */
  readonly heard: readonly { text: string }[]
  readonly guest: RawGuest
  /** Says that on a connection with credentials, and reads to its end or `untilBytes`. */
  readonly say: (bytes: string, until?: RegExp) => Promise<string>
}

/** A place that takes every message as it is said and parses nothing of it but its end. */
async function wire(t: TestContext, answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'): Promise<Wire | undefined> {
  const certificate = await ownCertificate(t)
  if (certificate === undefined) return undefined
  const heard: { text: string }[] = []
  const server = createServer(certificate, (socket) => {
    const one = { text: '' }
    heard.push(one)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const before = one.text.split('\r\n\r\n').length
      one.text += bytes.toString('latin1')
      for (let at = before; at < one.text.split('\r\n\r\n').length; at++) socket.write(answer)
    })
  })
  const { authority } = await localServer(t, server)
  const options: EgressOptions = { credentials: () => ({ authorization: secret }), ca: certificate.cert }
  const guest = await rawGuest(t, [authority], options)
  const say = async (bytes: string, until = /never/): Promise<string> => {
    const { stream } = await guest.ask(authority, true)
    let said = ''
    stream.write(Buffer.from(bytes, 'latin1'))
    stream.on('data', (part: Buffer) => {
      said += part.toString('latin1')
      if (until.test(said)) stream.close()
    })
    await new Promise((resolve) => stream.once('close', resolve))
    return said
  }
  return { heard, guest, say }
}

const hidden = 'TRACE /hidden HTTP/1.1\r\nHost: other.example\r\nX-Rest: '
const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`

test('the body of a request without a usual one is sent as a body, never as another request', { timeout: 60_000 }, async (t) => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST']) {
    const place = await wire(t)
    if (place === undefined) return
    const first = `${method} /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`
    await place.say(`${first}GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, /ok.*ok/s)
    assertFramed(place.heard[0]?.text ?? '', method)
  }
})

test(
  'a length that the connection is said to keep for itself is the length of the body all the same',
  { timeout: 60_000 },
  async (t) => {
    for (const named of ['content-length', 'Content-Length , host', 'authorization, content-length']) {
      const place = await wire(t)
      if (place === undefined) return
      const first = `GET /a HTTP/1.1\r\nHost: a\r\nConnection: ${named}\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`
      await place.say(`${first}GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, /ok.*ok/s)
      assertFramed(place.heard[0]?.text ?? '', named)
    }
  },
)

/** What was said starts with one request whose framing covers what was hidden in its body. */
function assertFramed(text: string, about: string): void {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const after = rest.join('\r\n\r\n')
  assert.match(head, new RegExp(`^[A-Z]+ /a HTTP/1\\.1\r\n`), about)
  if (!after.includes('/hidden')) return
  const length = /^content-length: (\d+)$/im.exec(head)?.[1]
  const chunked = /^transfer-encoding: chunked$/im.test(head)
  assert.ok(chunked !== (length !== undefined), `${about}: the body has no framing, so it is a request:\n${text}`)
  if (length !== undefined) assert.equal(Number(length), hidden.length, about)
  else assert.ok(/^[\da-f]+\r\n/i.test(after), `${about}:\n${text}`)
}

const odd: Readonly<Record<string, string>> = {
  'a length beside an encoding': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  'a length that is none': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na',
  'an encoding in disguise': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'an encoding of an encoding': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'an encoding twice': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a folded header': 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n',
  'bare line feeds': 'GET / HTTP/1.1\nHost: a\n\n',
  'a bare carriage return': 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n',
  'a NUL in a value': 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n',
  'a space before a colon': 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization : mine\r\n\r\n',
  'a tab before a colon': 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization\t: mine\r\n\r\n',
  'two hosts': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'a whole address': 'GET https://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a place': 'CONNECT other.example:443 HTTP/1.1\r\nHost: a\r\n\r\n',
  'what sends back': 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n',
  'another version': 'GET / HTTP/9.9\r\nHost: a\r\n\r\n',
  'the next protocol': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'more headers than may be': `GET / HTTP/1.1\r\nHost: a\r\n${'X-A: b\r\n'.repeat(4_000)}\r\n`,
  'one header larger than all may be': `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'b'.repeat(64 * 1024)}\r\n\r\n`,
}

test(
  'what two readers of HTTP may read differently reaches nobody with a secret, unless in one clear form',
  { timeout: 60_000 },
  async (t) => {
    const place = await wire(t)
    if (place === undefined) return
    for (const [about, bytes] of Object.entries(odd)) {
      const from = place.heard.length
      const said = await place.say(bytes, /\r\n\r\n/)
      assert.equal(said.includes(secret), false, about)
      for (const { text } of place.heard.slice(from)) assertClear(text, about)
    }
    assert.equal(JSON.stringify(place.guest.violations).includes(secret), false)
  },
)

function assertClear(text: string, about: string): void {
  if (text === '') return
  const [head = ''] = text.split('\r\n\r\n')
  const names = head
    .split('\r\n')
    .slice(1)
    .map((line) => /^([\w-]+): [^\r\n\0]*$/.exec(line)?.[1]?.toLowerCase() ?? assert.fail(`${about}: ${line}`))
  assert.match(head, /^(?:GET|POST) \/ HTTP\/1\.1\r\n/, about)
  assert.equal(names.filter((name) => name === 'authorization').length, 1, about)
  assert.equal(names.filter((name) => name === 'host').length, 1, about)
  assert.equal(head.includes('mine'), false, about)
  const framing = names.filter((name) => name === 'content-length' || name === 'transfer-encoding')
  assert.ok(framing.length <= 1 && !/chunked, ?chunked|gzip|xchunked/.test(head), `${about}:\n${text}`)
}
