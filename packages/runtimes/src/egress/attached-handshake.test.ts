import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { rawGuest } from '../fixtures/raw-guest.ts'
import { tcpServer } from '../fixtures/local-servers.ts'
import { attachedHeader } from './egress-words.ts'

const credentials = (): Record<string, string> => ({ authorization: 'Bearer canary' })

test('a place that never finishes its TLS is given up in the time a connection has', { timeout: 20_000 }, async (t) => {
  const silent = await tcpServer(t, (socket) => void socket.resume().on('end', () => socket.end()))
  const { ask, broker } = await rawGuest(t, [silent.authority], { credentials, limits: { connectMs: 50 } })
  const { error } = await ask(silent.authority, true)
  assert.equal(error?.code, 'ETIMEDOUT')
  while (broker.counts().open + silent.sockets.size > 0) await new Promise(setImmediate)
})

test('a connection given up during its TLS is closed at once, and its place is free', { timeout: 20_000 }, async (t) => {
  const silent = await tcpServer(t, (socket) => void socket.resume().on('end', () => socket.end()))
  const { ask, session, broker } = await rawGuest(t, [silent.authority], { credentials, limits: { connections: 2 } })
  for (let round = 0; round < 6; round++) {
    const open = [0, 1].map(() => {
      const stream = session.request(
        { ':method': 'CONNECT', ':authority': silent.authority, [attachedHeader]: '1' },
        { endStream: false },
      )
      stream.on('error', () => undefined)
      return stream
    })
    while (silent.sockets.size < 2) await new Promise(setImmediate)
    assert.equal((await ask(silent.authority, true)).error?.code, 'EGRESS_BUSY')
    const closed = [...silent.sockets].map((socket) => once(socket, 'close'))
    for (const stream of open) stream.close(8)
    await Promise.all(closed)
    while (broker.counts().open > 0) await new Promise(setImmediate)
  }
})

test('a place that is no TLS fails as such, and leaves nothing open', { timeout: 20_000 }, async (t) => {
  const plain = await tcpServer(t, (socket) => void socket.end('SSH-2.0-none\r\n'))
  const { ask, broker } = await rawGuest(t, [plain.authority], { credentials })
  for (let at = 0; at < 3; at++) {
    const { error } = await ask(plain.authority, true)
    assert.match(error?.code ?? '', /SSL|ECONNRESET|EPROTO/)
  }
  while (broker.counts().open > 0) await new Promise(setImmediate)
})
