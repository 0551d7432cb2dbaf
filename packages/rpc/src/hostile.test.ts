import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hello, kinds, rawPeer, type RawPeer } from './fixtures/ends.ts'
import { forever } from './fixtures/hanging.ts'

interface Attack {
  readonly does: string
  readonly code: string
  /** Batches; a string is sent as it is. */
  readonly sends: readonly (string | readonly unknown[])[]
  readonly silent?: boolean
}

const call = ['call', 1, 'x', 0, '', '']
const head = ['call', 1, 'x', 0, '', '']

/** After `session.call` has id 1 and `session.stream` has id 2, both unanswered. */
const attacks: readonly Attack[] = [
  { does: 'is not JSON', code: 'RPC_BAD_MESSAGE', sends: ['{"a":'] },
  { does: 'is empty', code: 'RPC_BAD_MESSAGE', sends: [''] },
  { does: 'is no array', code: 'RPC_BAD_MESSAGE', sends: ['{"call":1}', 'null'] },
  { does: 'holds something that is no message', code: 'RPC_BAD_MESSAGE', sends: ['["call"]'] },
  {
    does: 'sends more messages at once than anybody can look at in a turn',
    code: 'RPC_BAD_MESSAGE',
    sends: [Array.from({ length: 4_097 }, () => ['notice', 'nothing'])],
  },
  { does: 'has a kind nobody knows', code: 'RPC_BAD_MESSAGE', sends: [[['exec', 1]]] },
  { does: 'has no kind', code: 'RPC_BAD_MESSAGE', sends: [[[]]] },
  { does: 'has an object for a kind', code: 'RPC_BAD_MESSAGE', sends: [[[{ toString: 1 }]]] },
  { does: 'says hello twice', code: 'RPC_OUT_OF_PROTOCOL', sends: [[hello]] },
  { does: 'calls before hello', code: 'RPC_OUT_OF_PROTOCOL', sends: [[call]], silent: true },
  { does: 'speaks another version', code: 'RPC_VERSION', sends: [[['hello', 2, hello[2]]]], silent: true },
  { does: 'has no version', code: 'RPC_VERSION', sends: [[['hello']]], silent: true },
  { does: 'has no limits', code: 'RPC_BAD_MESSAGE', sends: [[['hello', 1]]], silent: true },
  {
    does: 'has limits nobody can keep',
    code: 'RPC_BAD_MESSAGE',
    sends: [[['hello', 1, { messageBytes: 1, depth: 64, inFlight: 1, inFlightBytes: 1 }]]],
    silent: true,
  },
  { does: 'answers what nobody asked', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['result', 77, 1]]] },
  { does: 'answers with an id that is no number', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['result', '1', 1]]] },
  { does: 'answers with an id that is a list', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['result', [1], 1]]] },
  { does: 'answers twice', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['result', 1, 1]], [['result', 1, 1]]] },
  {
    does: 'answers after its error',
    code: 'RPC_OUT_OF_PROTOCOL',
    sends: [
      [
        ['error', 1, { code: 'X', message: 'x' }],
        ['result', 1, 1],
      ],
    ],
  },
  { does: 'acknowledges what nobody asked', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['ack', 1, 2, 3]]] },
  { does: 'answers a call with an item', code: 'RPC_BAD_MESSAGE', sends: [[['item', 1, 1]]] },
  { does: 'ends a call like a stream', code: 'RPC_BAD_MESSAGE', sends: [[['end', 1]]] },
  { does: 'answers a stream with a result', code: 'RPC_BAD_MESSAGE', sends: [[['result', 2, 1]]] },
  {
    does: 'sends an item after the end',
    code: 'RPC_OUT_OF_PROTOCOL',
    sends: [
      [
        ['end', 2],
        ['item', 2, 1],
      ],
    ],
  },
  { does: 'reports progress that is none', code: 'RPC_BAD_MESSAGE', sends: [[['progress', 1, { done: '1' }]]] },
  { does: 'reports progress of nothing', code: 'RPC_BAD_MESSAGE', sends: [[['progress', 1, null]]] },
  { does: 'reports a total that is none', code: 'RPC_BAD_MESSAGE', sends: [[['progress', 1, { done: 1, total: 'all' }]]] },
  { does: 'reports a phase that is none', code: 'RPC_BAD_MESSAGE', sends: [[['progress', 1, { done: 1, phase: {} }]]] },
  { does: 'uses an id twice', code: 'RPC_OUT_OF_PROTOCOL', sends: [[call], [call]] },
  {
    does: 'uses falling ids',
    code: 'RPC_OUT_OF_PROTOCOL',
    sends: [
      [
        ['call', 5, 'x', 0, '', ''],
        ['call', 4, 'x', 0, '', ''],
      ],
    ],
  },
  { does: 'uses an id of zero', code: 'RPC_BAD_MESSAGE', sends: [[['call', 0, 'x', 0, '', '']]] },
  { does: 'uses an id beyond whole numbers', code: 'RPC_BAD_MESSAGE', sends: ['[["call",9007199254740993,"x",0,"",""]]'] },
  { does: 'names no target', code: 'RPC_BAD_MESSAGE', sends: [[['call', 1]]] },
  { does: 'has a deadline that is none', code: 'RPC_BAD_MESSAGE', sends: [[['call', 1, 'x', 'soon', '', '']]] },
  { does: 'has a trace that is none', code: 'RPC_BAD_MESSAGE', sends: [[['call', 1, 'x', 0, 5, '']]] },
  { does: 'has a caller that is none', code: 'RPC_BAD_MESSAGE', sends: [[['call', 1, 'x', 0, '', null]]] },
  { does: 'opens a stream without credit', code: 'RPC_BAD_MESSAGE', sends: [[['stream', 1, 'x', 0, '', '', 0]]] },
  { does: 'gives credit to a call', code: 'RPC_BAD_MESSAGE', sends: [[call], [['credit', 1, 5]]] },
  { does: 'gives negative credit', code: 'RPC_BAD_MESSAGE', sends: [[['stream', 1, 'x', 0, '', '', 1]], [['credit', 1, -5]]] },
  { does: 'cancels what was never asked', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['cancel', 9]]] },
  { does: 'gives credit to what was never asked', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['credit', 9, 1]]] },
  { does: 'answers a ping that was never sent', code: 'RPC_OUT_OF_PROTOCOL', sends: [[['pong', 1]]] },
  { does: 'repeats a ping', code: 'RPC_BAD_MESSAGE', sends: [[['ping', 2]], [['ping', 2]]] },
  { does: 'names no notice', code: 'RPC_BAD_MESSAGE', sends: [[['notice', 4]]] },
  { does: 'promises a part that is not there', code: 'RPC_BAD_MESSAGE', sends: [[[...head, null, [null]]]] },
  { does: 'has a place that is not null', code: 'RPC_BAD_MESSAGE', sends: [[[...head, { a: 1 }, ['a']]]] },
  { does: 'has a place that is not there', code: 'RPC_BAD_MESSAGE', sends: [[[...head, { a: null }, ['b']]]] },
  { does: 'has an inherited place', code: 'RPC_BAD_MESSAGE', sends: [[[...head, { a: null }, ['toString']]]] },
  { does: 'has a place in no object', code: 'RPC_BAD_MESSAGE', sends: [[[...head, 'text', [0]]]] },
  { does: 'has a place of the wrong type', code: 'RPC_BAD_MESSAGE', sends: [[[...head, [null], ['0']]]] },
  { does: 'has places that are no list', code: 'RPC_BAD_MESSAGE', sends: [[[...head, null, 'all']]] },
  { does: 'has two places for the whole', code: 'RPC_BAD_MESSAGE', sends: [[[...head, null, [null, null]]]] },
  {
    does: 'has a prototype in its value',
    code: 'RPC_PROTOTYPE_KEY',
    sends: ['[["notice","x",{"a":{"__proto__":{"admin":true}}}]]'],
  },
  { does: 'hides a prototype behind an escape', code: 'RPC_PROTOTYPE_KEY', sends: ['[["notice","x",{"\\u005f_proto__":1}]]'] },
  {
    does: 'reaches a prototype by its constructor',
    code: 'RPC_PROTOTYPE_KEY',
    sends: ['[["notice","x",{"constructor":{"prototype":{}}}]]'],
  },
  {
    does: 'has a prototype in its result',
    code: 'RPC_PROTOTYPE_KEY',
    sends: ['[["result",1,{"__proto__":{"polluted":true}}]]'],
  },
  {
    does: 'reaches a prototype by the constructor of its result',
    code: 'RPC_PROTOTYPE_KEY',
    sends: ['[["result",1,[{"constructor":{"prototype":{"polluted":true}}}]]]'],
  },
  { does: 'has a number no number can be', code: 'RPC_BAD_MESSAGE', sends: ['[["result",1,{"size":1e400}]]'] },
  { does: 'has a number below all numbers', code: 'RPC_BAD_MESSAGE', sends: ['[["result",1,-1e400]]'] },
  { does: 'answers NaN', code: 'RPC_BAD_MESSAGE', sends: ['[["result",1,NaN]]'] },
  {
    does: 'has a prototype in its error',
    code: 'RPC_PROTOTYPE_KEY',
    sends: ['[["error",1,{"code":"X","details":{"__proto__":1}}]]'],
  },
]

async function attack(kind: 'port' | 'socket', { code, sends, silent }: Attack): Promise<void> {
  await using peer = await rawPeer(kind, {
    silent: silent ?? false,
    handler: { call: forever, stream: () => ({ [Symbol.asyncIterator]: () => ({ next: forever }) }) },
  })
  const unanswered = peer.session.call('asked', 1)
  const item = peer.session.stream('asked', 1)[Symbol.asyncIterator]().next()
  if (silent !== true) {
    await peer.next()
    await peer.next()
  }
  for (const batch of sends) {
    if (typeof batch === 'string') peer.sendText(batch)
    else peer.send(...batch)
  }
  const end = await peer.session.ended
  assert.ok(end.kind === 'violated')
  assert.equal(end.error.code, code)
  for (const promise of [unanswered, item])
    await promise.catch((error: unknown) => assert.match((error as { code: string }).code, /^(RPC_CLOSED|X)$/))
  if (silent !== true) {
    const said = await lastWord(peer)
    assert.equal(said.code, code)
  }
  assert.equal(Reflect.get({}, 'polluted'), undefined)
}

/** The session tells its peer why it ended. */
async function lastWord(peer: RawPeer): Promise<{ readonly code: string }> {
  for (;;) {
    const message = await peer.next()
    if (message[0] === 'goodbye') return message[1] as { readonly code: string }
  }
}

for (const kind of kinds) {
  for (const one of attacks) test(`over a ${kind}, a peer that ${one.does} ends its session`, () => attack(kind, one))

  test(`over a ${kind}, a part that belongs to no message ends the session`, async () => {
    await using peer = await rawPeer(kind)
    peer.sendText('[["notice","x"]]', [new Uint8Array(1)])
    const end = await peer.session.ended
    assert.equal(end.kind === 'violated' && end.error.code, 'RPC_BAD_MESSAGE')
  })

  test(`over a ${kind}, 200,000 answers nobody asked for end the session at the first`, async () => {
    let errors = 0
    await using peer = await rawPeer(kind)
    const flood = Array.from({ length: 2_000 }, (_, at) => ['result', at + 1, at])
    void peer.session.ended.then(() => errors++)
    for (let round = 0; round < 100; round++) peer.send(...flood)
    const end = await peer.session.ended
    assert.equal(end.kind === 'violated' && end.error.code, 'RPC_OUT_OF_PROTOCOL')
    assert.deepEqual(await lastWord(peer), { ...(end.kind === 'violated' ? end.error.toJSON() : {}) })
    assert.equal(errors, 1)
  })

  test(`over a ${kind}, nothing of a batch is heard after its first broken message`, async () => {
    const seen: string[] = []
    await using peer = await rawPeer(kind, { handler: { notice: (target) => seen.push(target) } })
    peer.send(['notice', 'before'], ['nonsense'], ['notice', 'after'])
    peer.send(['notice', 'later'])
    await peer.session.ended
    assert.deepEqual(seen, ['before'])
  })
}
