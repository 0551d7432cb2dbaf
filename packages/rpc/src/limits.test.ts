import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds, link, rawPeer, type RawPeer } from './fixtures/ends.ts'
import { encodeFrame } from './frame.ts'
import { forever } from './fixtures/hanging.ts'
import { createSession, defaultLimits, type Channel, type SessionEnd } from './index.ts'

const kib = 1024

function nested(depth: number): unknown {
  let value: unknown = 'x'
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { value }
  return value
}

function codeOf(end: SessionEnd): string {
  return end.kind === 'violated' ? end.error.code : end.kind
}

test('the defaults are those the documentation states', () => {
  const { messageBytes, depth, inFlight, inFlightBytes, credit, partialFrameMs, ackMs } = defaultLimits
  const { noticeBytesPerSecond, noticeBurstBytes, floodBytesPerSecond } = defaultLimits
  assert.deepEqual([noticeBytesPerSecond, noticeBurstBytes, floodBytesPerSecond], [kib * kib, 4 * kib * kib, 16 * kib * kib])
  assert.deepEqual([messageBytes, inFlightBytes], [8 * kib * kib, 64 * kib * kib])
  assert.deepEqual([depth, inFlight, credit, partialFrameMs, ackMs], [64, 1024, 16, 10_000, 5_000])
})

test('a limit that is not a whole number in its range is refused where the session is made', () => {
  const channel = new Proxy({} as Channel, { get: () => assert.fail('the channel was touched') })
  for (const limits of [
    { messageBytes: 1024 },
    { depth: 1.5 },
    { inFlight: 0 },
    { credit: Number.NaN },
    { ackMs: -1 },
    { noticeBurstBytes: 0 },
  ]) {
    const handler = { call: () => 1, stream: async function* () {} }
    assert.throws(() => createSession(channel, { handler, limits }), { code: 'RPC_LIMIT_INVALID' })
  }
})

for (const kind of kinds) {
  test(`over a ${kind}, a message beyond the peer's messageBytes is refused before it is sent`, async () => {
    await using ends = await link(kind, {
      farLimits: { messageBytes: 256 * kib },
      far: { call: (_target, value) => typeof value },
      near: { call: () => 'y'.repeat(300 * kib), notice: () => {} },
    })
    for (const large of [
      'x'.repeat(300 * kib),
      'ä'.repeat(130 * kib),
      new Uint8Array(300 * kib),
      { data: new Uint8Array(256 * kib) },
    ]) {
      await assert.rejects(ends.near.call('x', large), { code: 'RPC_MESSAGE_TOO_LARGE' })
    }
    assert.throws(() => ends.near.notify('x', 'x'.repeat(300 * kib)), { code: 'RPC_MESSAGE_TOO_LARGE' })
    await assert.rejects(ends.far.call('large result', 1), { code: 'RPC_MESSAGE_TOO_LARGE' })
    assert.equal(await ends.near.call('x', 'x'.repeat(255 * kib)), 'string')
    assert.equal(await ends.near.call('x', new Uint8Array(255 * kib)), 'object')
  })

  test(`over a ${kind}, a peer that sends more than messageBytes ends the session`, async () => {
    for (const send of [
      (peer: RawPeer) => peer.sendText(JSON.stringify([['notice', 'x', 'x'.repeat(300 * kib)]])),
      (peer: RawPeer) => peer.sendText('[["notice","x",null,[null]]]', [new Uint8Array(300 * kib)]),
    ]) {
      await using peer = await rawPeer(kind, { limits: { messageBytes: 256 * kib } })
      send(peer)
      assert.equal(codeOf(await peer.session.ended), 'RPC_MESSAGE_TOO_LARGE')
    }
  })

  test(`over a ${kind}, a value deeper than either side takes is refused before it is sent`, async () => {
    await using ends = await link(kind, {
      farLimits: { depth: 10 },
      far: { call: () => 'taken' },
      near: { call: () => nested(11) },
    })
    assert.equal(await ends.near.call('x', nested(10)), 'taken')
    await assert.rejects(ends.near.call('x', nested(11)), { code: 'RPC_TOO_DEEP' })
    await assert.rejects(ends.near.call('x', { a: new Date(0), b: nested(10) }), { code: 'RPC_TOO_DEEP' })
    await assert.rejects(ends.far.call('deep result', 1), { code: 'RPC_TOO_DEEP' })
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    await assert.rejects(ends.near.call('x', cyclic), { code: 'RPC_TOO_DEEP' })
    await assert.rejects(ends.near.call('x', { toJSON: () => nested(65) }), { code: 'RPC_TOO_DEEP' })
  })

  test(`over a ${kind}, a peer that sends something deeper ends the session, however large it is`, async () => {
    for (const [value, code] of [
      [JSON.stringify(nested(64)), 'closed'],
      [JSON.stringify(nested(65)), 'RPC_TOO_DEEP'],
      ['['.repeat(4_000_000), 'RPC_TOO_DEEP'],
      [`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`, 'RPC_TOO_DEEP'],
      [`"${'['.repeat(100_000)}\\"[["`, 'closed'],
    ] as const) {
      await using peer = await rawPeer(kind)
      peer.sendText(`[["call",1,"x",0,"","",${value}]]`)
      peer.send(['goodbye'])
      assert.equal(codeOf(await peer.session.ended), code)
    }
  })

  test(`over a ${kind}, calls beyond what the peer takes in flight wait for their turn`, async () => {
    let running = 0
    let most = 0
    await using ends = await link(kind, {
      farLimits: { inFlight: 4 },
      far: {
        call: async (_target, value) => {
          most = Math.max(most, ++running)
          await new Promise(setImmediate)
          running--
          return value
        },
      },
    })
    const calls = Array.from({ length: 50 }, (_, at) => ends.near.call('x', at))
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 50 }, (_, at) => at),
    )
    assert.equal(most, 4)
  })

  test(`over a ${kind}, a call that waits for its turn can be cancelled, expires, and lets the next one through`, async () => {
    const release = Promise.withResolvers<string>()
    const seen: string[] = []
    await using ends = await link(kind, {
      farLimits: { inFlight: 1, messageBytes: 256 * kib },
      far: {
        call: (target) => {
          seen.push(target)
          return target === 'first' ? release.promise : target
        },
      },
    })
    const first = ends.near.call('first', 1)
    const controller = new AbortController()
    const cancelled = ends.near.call('cancelled', 1, { signal: controller.signal })
    const expired = ends.near.call('expired', 1, { deadlineAtMs: Date.now() + 10 })
    const tooLarge = ends.near.call('too large', 'x'.repeat(300 * kib))
    const last = ends.near.call('last', 1)
    await ends.near.ping(10_000)
    controller.abort()
    await assert.rejects(cancelled, { name: 'AbortError' })
    await assert.rejects(expired, { name: 'TimeoutError' })
    release.resolve('done')
    assert.equal(await first, 'done')
    await assert.rejects(tooLarge, { code: 'RPC_MESSAGE_TOO_LARGE' })
    assert.equal(await last, 'last')
    assert.deepEqual(seen, ['first', 'last'])
  })

  test(`over a ${kind}, calls that turn out to be too large before hello do not hold up those behind them`, async () => {
    await using peer = await rawPeer(kind, { silent: true })
    const large = Array.from({ length: 20 }, () => peer.session.call('large', 'x'.repeat(300 * kib)))
    const small = peer.session.call('small', 1)
    peer.send(['hello', 1, { messageBytes: 256 * kib, depth: 64, inFlight: 1, inFlightBytes: 256 * kib }])
    for (const one of large) await assert.rejects(one, { code: 'RPC_MESSAGE_TOO_LARGE' })
    assert.deepEqual(await peer.next(), ['call', 1, 'small', 0, '', '', 1])
    peer.send(['result', 1])
    await small
  })

  test(`over a ${kind}, a peer with one call too many in flight ends the session`, async () => {
    await using peer = await rawPeer(kind, { limits: { inFlight: 3 }, handler: { call: forever } })
    for (let id = 1; id <= 4; id++) peer.send(['call', id, 'x', 0, '', ''])
    assert.equal(codeOf(await peer.session.ended), 'RPC_TOO_MANY_CALLS')
  })

  test(`over a ${kind}, calls wait until what is in flight holds few enough bytes, in their order`, async () => {
    let held = 0
    let most = 0
    const seen: number[] = []
    await using ends = await link(kind, {
      farLimits: { messageBytes: 300 * kib, inFlightBytes: 256 * kib },
      far: {
        call: async (target, value) => {
          const bytes = (value as string | Uint8Array).length
          seen.push(Number(target))
          most = Math.max(most, (held += bytes))
          await new Promise(setImmediate)
          held -= bytes
        },
      },
    })
    const sizes = [200, 10, 90, 1, 299, 1, 150, 140, 20].map((size) => size * kib)
    await Promise.all(sizes.map((size, at) => ends.near.call(String(at), at % 2 === 0 ? new Uint8Array(size) : 'x'.repeat(size))))
    assert.deepEqual(
      seen,
      sizes.map((_, at) => at),
    )
    assert.ok(most <= 300 * kib, `${String(most)} bytes at once`)
  })

  test(`over a ${kind}, a peer whose calls in flight hold too many bytes ends the session`, async () => {
    for (const [value, parts] of [
      ['x'.repeat(100 * kib), []],
      [Array.from({ length: 100 * kib }, () => 0), []],
      [null, [new Uint8Array(100 * kib)]],
    ] as const) {
      const limits = { messageBytes: 256 * kib, inFlightBytes: 256 * kib }
      await using peer = await rawPeer(kind, { limits, handler: { call: forever } })
      const places = parts.length === 0 ? [] : [[null]]
      for (let id = 1; id <= 3; id++) peer.sendText(JSON.stringify([['call', id, 'x', 0, '', '', value, ...places]]), parts)
      assert.equal(codeOf(await peer.session.ended), 'RPC_TOO_MANY_BYTES')
    }
  })

  test(`over a ${kind}, a peer that sends an item without credit ends the session`, async () => {
    await using peer = await rawPeer(kind, { limits: { credit: 2 } })
    const item = peer.session.stream('x', 1)[Symbol.asyncIterator]().next()
    assert.deepEqual(await peer.next(), ['stream', 1, 'x', 0, '', '', 2, 1])
    peer.send(['item', 1, 'a'])
    assert.deepEqual(await item, { done: false, value: 'a' })
    assert.deepEqual(await peer.next(), ['credit', 1, 1])
    for (const value of ['b', 'c', 'd']) peer.send(['item', 1, value])
    assert.equal(codeOf(await peer.session.ended), 'RPC_CREDIT_EXCEEDED')
  })

  test(`over a ${kind}, notices beyond inFlight that wait for a peer that does not read are dropped, and said so`, async () => {
    await using peer = await rawPeer(kind, { silent: true, limits: { inFlight: 10 } })
    const sent = Array.from({ length: 20 }, (_, at) => peer.session.notify('log', at))
    assert.equal(sent.filter((one) => one).length, 11)
    assert.equal(sent.at(-1), false)
  })

  test(`over a ${kind}, a peer that floods pings is owed one answer`, async () => {
    await using peer = await rawPeer(kind)
    const pings = Array.from({ length: 1_000 }, (_, at) => ['ping', at + 1])
    peer.send(...pings)
    const pong = await peer.next()
    assert.equal(pong[0], 'pong')
  })
}

test('a frame that stays incomplete longer than partialFrameMs ends the session', async () => {
  const one = encodeFrame('[["notice","x"]]', [])
  for (const part of [one.subarray(0, 1), one.subarray(0, 2), one.subarray(0, 5), one.subarray(0, -1)]) {
    await using peer = await rawPeer('socket', { limits: { partialFrameMs: 20 } })
    peer.sendRaw(part)
    assert.equal(codeOf(await peer.session.ended), 'RPC_PARTIAL_FRAME')
  }
})

test('frames that are each complete in time do not add up to a partial one', async () => {
  await using peer = await rawPeer('socket', { limits: { partialFrameMs: 250 } })
  const legal = encodeFrame('[["notice","x"]]', [])
  for (let round = 0; round < 12; round++) {
    peer.sendRaw(legal.subarray(0, 7))
    await new Promise((resolve) => setTimeout(resolve, 25))
    peer.sendRaw(legal.subarray(7))
  }
  peer.send(['goodbye'])
  assert.deepEqual(await peer.session.ended, { kind: 'closed' })
})
