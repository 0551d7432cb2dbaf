import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kinds, link, rawPeer, until, type RawPeer } from './fixtures/ends.ts'
import type { Handler, SessionEnd } from './index.ts'

const kib = 1024
const mib = 1024 * kib

function codeOf(end: SessionEnd): string {
  return end.kind === 'violated' ? end.error.code : end.kind
}

/** Counts what a handler is told of notices. */
function counting(): { readonly handler: Partial<Handler>; readonly taken: string[]; readonly dropped: () => number } {
  const taken: string[] = []
  let dropped = 0
  const handler = { notice: (target: string) => void taken.push(target), dropped: () => void dropped++ }
  return { handler, taken, dropped: () => dropped }
}

/** So slow that nothing comes back within a test. */
const little = { noticeBytesPerSecond: 1, noticeBurstBytes: 4 * kib }

for (const kind of kinds) {
  test(`over a ${kind}, notices beyond what the peer takes are not even sent, and said so`, async () => {
    const far = counting()
    await using ends = await link(kind, { farLimits: little, far: far.handler })
    await ends.near.ping(10_000)
    const sent = Array.from({ length: 50 }, () => ends.near.notify('log', 'x'.repeat(100))).filter((one) => one).length
    assert.ok(sent >= 33 && sent <= 36, `${sent} of 50 went`)
    await ends.near.ping(10_000)
    assert.deepEqual([far.taken.length, far.dropped()], [sent, 0])
  })

  test(`over a ${kind}, notices of a peer that sends more than it may are dropped one by one, and still held to their form`, async () => {
    const { handler, taken, dropped } = counting()
    await using peer = await rawPeer(kind, { limits: little, handler })
    peer.send(...Array.from({ length: 50 }, () => ['notice', 'log', 'x'.repeat(100)]))
    peer.send(['notice', 'log', null, [null]])
    await peer.session.ended.then((end) => assert.equal(codeOf(end), 'RPC_BAD_MESSAGE', 'a dropped notice is still checked'))
    assert.equal(taken.length + dropped(), 50)
    assert.ok(taken.length >= 33 && taken.length <= 40, `${taken.length} of 50 were taken`)
  })

  test(`over a ${kind}, one notice may be an eighth of what may come at once, and no larger one is sent or read`, async () => {
    const far = counting()
    await using ends = await link(kind, { farLimits: little, far: far.handler })
    await ends.near.ping(10_000)
    assert.equal(ends.near.notify('log', 'x'.repeat(520)), false)
    assert.equal(ends.near.notify('log', 'x'.repeat(480)), true)
    await using peer = await rawPeer(kind, { limits: little, handler: far.handler })
    peer.send(['notice', 'log', 'x'.repeat(520)])
    await until(() => far.dropped() === 1)
    await until(() => far.taken.length === 1)
  })

  test(`over a ${kind}, a large notice beyond what may come is dropped without being read`, async () => {
    const { handler, taken, dropped } = counting()
    await using peer = await rawPeer(kind, { limits: little, handler })
    peer.send(['notice', 'log', 'x'.repeat(100)])
    peer.sendText(`[["notice","log",{{{ this is not JSON ${'x'.repeat(40 * kib)}`)
    peer.sendText(`[["notice","log",null,[null]] ${' '.repeat(40 * kib)}`, [new Uint8Array(10)])
    await until(() => dropped() === 2)
    assert.deepEqual(taken, ['log'])
    const call = peer.session.call('x', 1)
    assert.deepEqual((await peer.next()).slice(0, 3), ['call', 1, 'x'])
    peer.send(['result', 1, 'still here'])
    assert.equal(await call, 'still here')
  })

  test(`over a ${kind}, a peer that floods with what nobody asked for ends the session`, async () => {
    const some = (count: number, message: (at: number) => readonly unknown[]): string =>
      JSON.stringify(Array.from({ length: count }, (_, at) => message(at)))
    const floods: readonly ((peer: RawPeer, round: number) => void)[] = [
      (peer) => peer.sendText(some(1, () => ['notice', 'log', 'x'.repeat(100 * kib)])),
      (peer) => peer.sendText(some(1_000, () => ['notice', 'log', 'x'.repeat(100)])),
      (peer, round) => peer.sendText(some(4_000, (at) => ['ping', round * 4_000 + at + 1])),
      (peer) => peer.sendText(`[["notice","x"]${' '.repeat(100 * kib)}]`),
      (peer) => peer.sendText(`[${' '.repeat(100 * kib)}]`),
      (peer) => peer.sendText('[["notice","x",null,[null]]]', [new Uint8Array(100 * kib)]),
    ]
    for (const flood of floods) {
      await using peer = await rawPeer(kind, { limits: { ...little, floodBytesPerSecond: 256 * kib } })
      for (let round = 0; round < 40; round++) flood(peer, round)
      assert.equal(codeOf(await peer.session.ended), 'RPC_FLOOD')
    }
  })

  test(`over a ${kind}, what was asked for is no flood, however much it is`, async () => {
    await using ends = await link(kind, {
      nearLimits: { ...little, floodBytesPerSecond: 256 * kib },
      far: {
        call: () => 'x'.repeat(200 * kib),
        stream: async function* () {
          for (let at = 0; at < 4; at++) yield 'x'.repeat(200 * kib)
        },
      },
      near: { call: () => 1 },
    })
    for (let at = 0; at < 4; at++) await ends.near.call('x', 1)
    let items = 0
    for await (const _ of ends.near.stream('x', 1)) items++
    for (let at = 0; at < 4; at++) await ends.far.call('x', 'x'.repeat(200 * kib))
    assert.equal(items, 4)
  })
}

test('a peer that posts without waiting for anybody to read is cut off within the turn', async () => {
  for (const [count, text] of [
    [60, `[["call",1,"x",0,"","","${'x'.repeat(mib)}"]]`],
    [40_000, '[]'],
  ] as const) {
    let calls = 0
    const limits = { messageBytes: 2 * mib }
    const handler = { call: (): unknown => (calls++, new Promise(() => {})) }
    await using peer = await rawPeer('port', { limits: { ...limits, inFlightBytes: 1024 * mib }, handler })
    for (let at = 1; at <= count; at++) peer.sendText(text.replace('1', String(at)))
    assert.equal(codeOf(await peer.session.ended), 'RPC_TOO_FAR_AHEAD')
    assert.ok(calls <= 18, `${calls} calls were taken`)
  }
})

test('a peer that floods with reports of what it has read is cut off', async () => {
  await using peer = await rawPeer('port', { limits: { messageBytes: 256 * kib } })
  const call = peer.session.call('x', 'x'.repeat(100 * kib))
  await peer.next()
  for (let at = 0; at < 40_000; at++) peer.sendRaw(1)
  assert.equal(codeOf(await peer.session.ended), 'RPC_TOO_FAR_AHEAD')
  await assert.rejects(call, { code: 'RPC_CLOSED' })
})

test('many streams of large items keep together to what may be unread', async () => {
  const limits = { messageBytes: 1.5 * mib }
  await using ends = await link('port', {
    nearLimits: limits,
    far: {
      stream: async function* () {
        for (let at = 0; at < 3; at++) yield new Uint8Array(mib)
      },
    },
  })
  const sizes = await Promise.all(
    Array.from({ length: 32 }, async () => {
      let bytes = 0
      for await (const item of ends.near.stream('x', 1)) bytes += (item as Uint8Array).length
      return bytes
    }),
  )
  assert.ok(sizes.every((bytes) => bytes === 3 * mib))
})
