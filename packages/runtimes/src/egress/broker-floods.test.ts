import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { echoServer, type LocalServer } from '../fixtures/local-servers.ts'
import { rawGuest, socketEnds } from '../fixtures/raw-guest.ts'
import { connectBlock, connectFrame, frame, preface } from '../fixtures/raw-frames.ts'
import { serveEgress, type Broker } from './broker.ts'
import type { EgressOptions } from './egress-options.ts'

interface Flooded {
  readonly server: LocalServer
  readonly broker: Broker
  readonly guest: Socket
  readonly host: Socket
  readonly broken: readonly string[]
  readonly told: () => number
}

/** A broker whose guest writes its own bytes; it has said its preface. */
async function flooded(t: TestContext, options: EgressOptions = {}): Promise<Flooded> {
  const server = await echoServer(t)
  const [host, guest] = await socketEnds(t)
  const broken: string[] = []
  let told = 0
  const broker = serveEgress({
    socket: host,
    plugin: 'acme/flood',
    granted: new Set([server.authority]),
    options,
    violated: () => (told += 1),
    used: () => undefined,
    broken: (reason) => void broken.push(reason),
  })
  t.after(() => broker[Symbol.dispose]())
  guest.on('error', () => undefined)
  guest.resume()
  guest.write(preface())
  return { server, broker, guest, host, broken, told: () => told }
}

type Flood = (at: number, authority: string) => Buffer
const eight = Buffer.alloc(8)
const reset = (stream: number): Buffer => frame({ type: 3, stream, payload: Buffer.from([0, 0, 0, 8]) })
const firstOf = (at: number, authority: string): Buffer => (at === 0 ? connectFrame(1, connectBlock(authority)) : Buffer.alloc(0))

/** What HTTP/2 itself is told of as an attack, and ends. */
const ended: Readonly<Record<string, Flood>> = {
  'PING nobody reads the answer of': () => frame({ type: 6, payload: eight }),
  'answers to no PING': () => frame({ type: 6, flags: 1, payload: eight }),
  SETTINGS: () => frame({ type: 4, payload: Buffer.from([0, 4, 0, 0, 255, 255]) }),
  'headers without an end': (at, authority) =>
    at === 0 ? frame({ type: 1, stream: 1, payload: connectBlock(authority) }) : frame({ type: 9, stream: 1 }),
  'headers larger than any': (at, authority) =>
    at === 0
      ? frame({ type: 1, stream: 1, payload: connectBlock(authority) })
      : frame({ type: 9, stream: 1, payload: connectBlock(authority, [['x', 'y'.repeat(15_000)]]) }),
  'empty DATA': (at, authority) => Buffer.concat([firstOf(at, authority), frame({ type: 0, stream: 1 })]),
  'resets of no stream': () => reset(1),
  'a reset of the session’s own': () => reset(0),
  'a window that overflows': () => frame({ type: 8, payload: Buffer.from([0x7f, 0xff, 0xff, 0xff]) }),
}

test(
  'floods that HTTP/2 knows end a plugin’s network, which is told, and nobody is dialled again and again',
  { timeout: 60_000 },
  async (t) => {
    for (const [about, make] of Object.entries(ended)) {
      const { server, broker, guest, broken } = await flooded(t)
      const closed = new Promise((resolve) => guest.once('close', resolve))
      for (let at = 0; at < 4_000 && !guest.destroyed; at++) guest.write(make(at, server.authority))
      await closed
      assert.ok(server.connections() <= 1, about)
      assert.ok(broken.length <= 1, about)
      assert.equal(broker.counts().open, 0, about)
    }
  },
)

/** What is no fault, only too much. */
const slowed: Readonly<Record<string, Flood>> = {
  'requests for what is not granted': (at) => connectFrame(2 * at + 1, connectBlock('nowhere.example:1'), true),
  'requests with a huge authority': (at) => connectFrame(2 * at + 1, connectBlock(`${'a'.repeat(4_000)}:1`), true),
  'requests that are given up at once': (at, authority) =>
    Buffer.concat([connectFrame(2 * at + 1, connectBlock(authority)), reset(2 * at + 1)]),
  'requests with many headers': (at, authority) => {
    const many = Array.from({ length: 100 }, (_, one) => [`x${one}`, 'y'.repeat(90)] as const)
    return connectFrame(2 * at + 1, connectBlock(authority, many), true)
  },
  'frames of a kind nobody knows': () => frame({ type: 0x77, payload: eight }),
  'DATA of one byte': (at, authority) =>
    Buffer.concat([firstOf(at, authority), frame({ type: 0, stream: 1, payload: Buffer.from('a') })]),
  'DATA nobody takes': (at) =>
    Buffer.concat([firstOf(at, 'nowhere.example:1'), frame({ type: 0, stream: 1, payload: Buffer.from('a') })]),
}

test(
  'floods that are no fault are read as slowly as may be, and another plugin’s network goes on',
  { timeout: 60_000 },
  async (t) => {
    const limits = { requestsPerSecond: 40, framesPerSecond: 400 }
    for (const [about, make] of Object.entries(slowed)) {
      const sinceMs = performance.now()
      const { server, broker, guest, host, told } = await flooded(t, { limits })
      for (let at = 0; at < 20_000 && !guest.writableNeedDrain; at++) guest.write(make(at, server.authority))
      // What the socket took is more than may be read now.
      const other = await rawGuest(t, [server.authority])
      for (let at = 0; at < 20; at++) {
        const { status, stream } = await other.ask(server.authority)
        assert.equal(status, 200, about)
        stream.write('still here')
        assert.equal(String((await once(stream, 'data'))[0]), 'still here')
        stream.close()
      }
      const tookSeconds = (performance.now() - sinceMs) / 1_000
      const most = 10 + 40 * tookSeconds + 1
      assert.ok(broker.counts().refused <= most && told() <= 110, about)
      assert.ok(server.connections() - 20 <= most, `${about}: ${server.connections()} connections`)
      assert.ok(broker.counts().sentBytes <= 100 + 400 * tookSeconds + 1, about)
      assert.ok(host.bytesRead < 2 * 1024 ** 2, `${about}: ${host.bytesRead} bytes were read`)
      assert.equal(guest.destroyed, false, about)
    }
  },
)

test(
  'thousands of connections asked for at once, none of which is read, hold no more than their number may',
  { timeout: 60_000 },
  async (t) => {
    const { server, broker, guest } = await flooded(t, { limits: { connections: 8, requestsPerSecond: 100_000 } })
    // No window: whatever comes for the plugin stays where it is.
    guest.write(frame({ type: 4, payload: Buffer.from([0, 4, 0, 0, 0, 0]) }))
    for (let at = 0; at < 5_000; at++) guest.write(connectFrame(2 * at + 1, connectBlock(server.authority)))
    while (server.connections() < 8 && !guest.destroyed) await new Promise(setImmediate)
    for (let at = 0; at < 50; at++) await new Promise(setImmediate)
    assert.ok(broker.counts().connections <= 8 && server.connections() <= 8)
  },
)

test('a CONNECT with more than a place, or less, reaches nobody', { timeout: 60_000 }, async (t) => {
  const { server, guest } = await flooded(t)
  const wrong: readonly (readonly (readonly [string, string])[])[] = [
    [[':protocol', 'websocket']],
    [
      [':path', '/'],
      [':scheme', 'https'],
    ],
    [[':authority', '127.0.0.1:1']],
    [[':method', 'GET']],
  ]
  for (const [at, more] of wrong.entries()) guest.write(connectFrame(2 * at + 1, connectBlock(server.authority, more)))
  for (const authority of ['', 'a@b', `${server.authority}\0`, ` ${server.authority}`, `${server.authority}/`]) {
    guest.write(connectFrame(101 + 2 * authority.length, connectBlock(authority)))
  }
  const other = await rawGuest(t, [server.authority])
  assert.equal((await other.ask(server.authority)).status, 200)
  assert.equal(server.connections(), 1)
})
