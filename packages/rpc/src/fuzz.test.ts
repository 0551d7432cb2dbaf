import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { hello, kinds, rawPeer } from './fixtures/ends.ts'
import { memoryChannel, type MemoryChannel } from './fixtures/memory-channel.ts'
import { encodeFrame, FrameReader } from './frame.ts'
import { createSession, type Handler, type Session, type SessionEnd } from './index.ts'

/** More runs for a long night: `FUZZ_FACTOR=1000`. */
const factor = Number(process.env['FUZZ_FACTOR'] ?? 1)

const handler: Handler = {
  call: (target, value) => (target === 'slow' ? new Promise((resolve) => setImmediate(resolve, value)) : value),
  stream: async function* (_target, value) {
    yield value
    yield value
  },
}

const limits = { inFlight: 8, credit: 3, depth: 12 }
const probeId = 2 ** 50

/** A session with a call, a stream and a ping in flight, whose peer is about to misbehave. */
interface Victim {
  readonly session: Session
  readonly waiting: readonly Promise<unknown>[]
}

function victim(session: Session): Victim {
  const items = session.stream('s', 1)[Symbol.asyncIterator]()
  return { session, waiting: [session.call('a', 1), session.call('b', 2), items.next(), items.next(), session.ping(60_000)] }
}

/** The session either ended with a coded error or still answers; nobody who waits is left waiting. */
async function check(channel: MemoryChannel, { session, waiting }: Victim): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  const end = await Promise.race([session.ended, Promise.resolve(undefined)])
  if (end === undefined) {
    const heardHello = channel.sent.length > 1
    channel.deliver(JSON.stringify([['call', probeId, 'probe', 0, '', '', 'still here']]))
    const ended = await Promise.race([session.ended, Promise.resolve(undefined)])
    if (ended === undefined) assert.deepEqual(channel.sent.at(-1), ['result', probeId, 'still here'])
    else assert.equal(codeOf(ended), heardHello ? 'RPC_TOO_MANY_CALLS' : 'RPC_OUT_OF_PROTOCOL')
  } else {
    assert.match(codeOf(end), /^(RPC_[A-Z_]+|closed)$/)
  }
  channel.vanish()
  for (const settled of await Promise.allSettled(waiting)) assert.ok(settled.status)
  await session.ended
}

function codeOf(end: SessionEnd): string {
  return end.kind === 'violated' ? end.error.code : end.kind
}

const named = [
  'call',
  'stream',
  'cancel',
  'credit',
  'notice',
  'ack',
  'progress',
  'result',
  'item',
  'end',
  'error',
  'ping',
  'pong',
  'hello',
]
const kind = fc.constantFrom(...named)
const id = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: -1, max: 12 }))
const field = fc.oneof(
  id,
  fc.constantFrom('x', 'slow', '', null, [null], ['a'], { a: null }, { done: 1 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Messages that look right enough to get past the first check. */
const message = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(kind, id, fc.array(field, { maxLength: 7 }))
      .map(([name, at, rest]) => ([name, at] as unknown[]).concat(rest)),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('call', 'stream'), id).map(([name, at]) => [name, at, 'x', 0, '', '', 2]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('result', 'item', 'end', 'cancel'), id).map(([name, at]) => [name, at]) },
  { weight: 1, arbitrary: fc.jsonValue() },
)
const part = fc.uint8Array({ maxLength: 8 })
const conversation = fc.array(fc.tuple(fc.array(message, { maxLength: 4 }), fc.array(part, { maxLength: 2 })), { maxLength: 12 })

test('whatever messages a peer sends, the session ends with a code or goes on, and nobody is left waiting', async () => {
  await fc.assert(
    fc.asyncProperty(conversation, fc.boolean(), async (batches, polite) => {
      const channel = memoryChannel()
      const prey = victim(createSession(channel, { handler, limits }))
      if (polite) channel.deliver(JSON.stringify([hello]))
      for (const [messages, parts] of batches) channel.deliver(JSON.stringify(messages), parts)
      await check(channel, prey)
    }),
    { numRuns: 1_000 * factor },
  )
})

test('whatever text a peer sends, the session ends with a code or goes on', async () => {
  const valid = JSON.stringify([
    ['call', 1, 'x', 0, '', '', { a: null, b: ['"\\', 'ä'] }, ['a']],
    ['ack', 1],
    ['result', 1, 'x'],
  ])
  const mutated = fc
    .array(
      fc.tuple(
        fc.nat(valid.length),
        fc.oneof(fc.constant(''), fc.string({ maxLength: 3 }), fc.constantFrom('[', '{', '"', '\\', '__proto__')),
      ),
    )
    .map((edits) => {
      let text = valid
      for (const [at, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + 1)
      return text
    })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(mutated, fc.string(), fc.json()), { maxLength: 4 }), async (texts) => {
      const channel = memoryChannel()
      const prey = victim(createSession(channel, { handler, limits }))
      channel.deliver(JSON.stringify([hello]))
      for (const text of texts) channel.deliver(text, [new Uint8Array(1)])
      await check(channel, prey)
    }),
    { numRuns: 1_000 * factor },
  )
})

/** What a lawful guest sends for the prey above, one message a batch. */
const lawful: readonly (readonly unknown[])[] = [
  hello,
  ['ack', 1, 2, 3],
  ['call', 1, 'x', 0, '', '', { a: 1 }],
  ['progress', 1, { done: 1, total: 2 }],
  ['stream', 2, 'x', 0, '', '', 2, 'v'],
  ['result', 1, 'a'],
  ['error', 2, { code: 'X_Y', message: 'no', cause: { code: 'Z_Z', message: 'why' } }],
  ['item', 3, 'i'],
  ['credit', 2, 3],
  ['end', 3],
  ['notice', 'log', 'line'],
  ['ping', 1],
  ['pong', 1],
  ['cancel', 2, { code: 'ABORTED', message: 'left' }],
]

test('lawful messages out of order, twice or missing end the session with a code or do no harm', async () => {
  const order = fc.array(fc.constantFrom(...lawful), { maxLength: lawful.length * 2 })
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.shuffledSubarray([...lawful]), order), fc.boolean(), async (messages, together) => {
      const channel = memoryChannel()
      const prey = victim(createSession(channel, { handler, limits }))
      const batches = together ? [messages] : messages.map((one) => [one])
      for (const batch of batches) channel.deliver(JSON.stringify(batch))
      await check(channel, prey)
    }),
    { numRuns: 1_000 * factor },
  )
})

const frames = lawful.map((one) => encodeFrame(JSON.stringify([one]), []))
const traffic = Buffer.concat([...frames, encodeFrame('[["notice","x",null,[null]]]', [new Uint8Array(5)]), Buffer.from('12345')])

test('a frame reader gives the same frames however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(traffic.length), { maxLength: 40 }), (cuts) => {
      const texts: string[] = []
      const reader = new FrameReader(1_000, (text, sections) => texts.push(`${text} ${String(sections.length)}`))
      let from = 0
      for (const to of [...cuts.toSorted((a, b) => a - b), traffic.length]) {
        // The reader must not keep what its caller may reuse.
        const chunk = Buffer.from(traffic.subarray(from, to))
        reader.push(chunk)
        chunk.fill(0xee)
        from = to
      }
      assert.equal(texts.length, lawful.length + 1)
      assert.deepEqual(
        texts.slice(0, -1),
        lawful.map((one) => `${JSON.stringify([one])} 0`),
      )
      assert.equal(reader.partial, false)
    }),
    { numRuns: 500 * factor },
  )
})

const flips = fc.array(fc.tuple(fc.nat(traffic.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
const damaged = fc.tuple(flips, fc.nat(traffic.length)).map(([changes, end]) => {
  const bytes = Buffer.from(traffic)
  for (const [at, value] of changes) bytes[at] = value
  return bytes.subarray(0, end)
})
const garbage = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))

test('damaged, cut or senseless bytes end the session with a code or are waited out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, garbage), async (bytes) => {
      const channel = memoryChannel()
      const prey = victim(createSession(channel, { handler, limits }))
      const reader = new FrameReader(1_000_000, channel.deliver)
      try {
        reader.push(bytes)
      } catch (error) {
        assert.match((error as { code: string }).code, /^RPC_/)
      }
      channel.vanish()
      await Promise.allSettled(prey.waiting)
      assert.match(codeOf(await prey.session.ended), /^(RPC_[A-Z_]+|closed|lost)$/)
    }),
    { numRuns: 1_000 * factor },
  )
})

test('the same over real transports', async () => {
  const strange = fc.oneof(fc.anything({ withBigInt: true, withTypedArray: true, withMap: true, withDate: true }), fc.jsonValue())
  for (const transport of kinds) {
    const raw = transport === 'socket' ? fc.oneof(damaged, garbage) : strange
    await fc.assert(
      fc.asyncProperty(fc.array(raw, { maxLength: 4 }), async (sends) => {
        await using peer = await rawPeer(transport, { handler, limits, silent: true })
        const { waiting, session } = victim(peer.session)
        for (const one of sends) peer.sendRaw(one)
        peer.vanish()
        await Promise.allSettled(waiting)
        assert.match(codeOf(await session.ended), /^(RPC_[A-Z_]+|closed|lost)$/)
      }),
      { numRuns: 60 * factor },
    )
  }
})
