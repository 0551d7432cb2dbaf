import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEvents, type ApiEvent, type EventLimits } from './event-stream.ts'

/** The bytes of a text, in pieces that end at the given places. */
function pieces(text: string, ...ends: readonly number[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text)
  const cuts = [0, ...ends, bytes.length]
  return ReadableStream.from(cuts.slice(1).map((end, index) => bytes.slice(cuts[index], end)))
}

async function read(bytes: ReadableStream<Uint8Array<ArrayBuffer>>, limits?: EventLimits): Promise<readonly ApiEvent[]> {
  const events: ApiEvent[] = []
  for await (const event of readEvents(bytes, limits)) events.push(event)
  return events
}

const rules: readonly (readonly [
  rule: string,
  text: string,
  events: readonly (readonly [id: string | undefined, event: string, data: unknown])[],
])[] = [
  ['lines end with LF', 'id: 1\nevent: a\ndata: 1\n\n', [['1', 'a', 1]]],
  ['lines end with CRLF', 'id: 1\r\nevent: a\r\ndata: 1\r\n\r\n', [['1', 'a', 1]]],
  ['lines end with CR', 'id: 1\revent: a\rdata: 1\r\r', [['1', 'a', 1]]],
  [
    'each line may end in its own way',
    'id: 1\revent: a\r\ndata: 1\n\r\ndata: 2\n\n',
    [
      ['1', 'a', 1],
      [undefined, 'message', 2],
    ],
  ],
  ['a byte order mark at the start is no part of the first name', '\u{FEFF}data: 1\n\n', [[undefined, 'message', 1]]],
  ['lines of data are joined by a line feed', 'data: [1,\ndata: 2\ndata: ]\n\n', [[undefined, 'message', [1, 2]]]],
  [
    'one space after the colon is no part of the value',
    'data:1\n\nevent:  b\ndata: 2\n\n',
    [
      [undefined, 'message', 1],
      [undefined, ' b', 2],
    ],
  ],
  [
    'comments, a retry time and unknown fields are passed over',
    ': beat\nretry: 2000\nfoo: bar\n\n:\ndata: 1\n:x\n\n',
    [[undefined, 'message', 1]],
  ],
  ['an event without data is none', 'event: a\nid: 1\n\nevent: b\ndata: 2\n\n', [[undefined, 'b', 2]]],
  ['an id that holds NUL is none', 'id: a\u0000b\ndata: 1\n\n', [[undefined, 'message', 1]]],
  ['what the end of the bytes cuts off is no event', 'data: 1\n\ndata: 2\n', [[undefined, 'message', 1]]],
  ['characters may be longer than a byte', 'id: ü\ndata: "€ 😀"\n\n', [['ü', 'message', '€ 😀']]],
]

for (const [rule, text, expected] of rules) {
  test(`${rule}, wherever the bytes are cut`, async () => {
    const events = expected.map(([id, event, data]) => ({ id, event, data }))
    const length = new TextEncoder().encode(text).length
    for (let cut = 0; cut <= length; cut += 1) assert.deepEqual(await read(pieces(text, cut)), events, `cut at ${cut}`)
    const everywhere = Array.from({ length: length - 1 }, (_, index) => index + 1)
    assert.deepEqual(await read(pieces(text, ...everywhere)), events, 'byte by byte')
  })
}

test('an event that never ends is refused, not kept', async () => {
  const endless = ReadableStream.from(
    (function* () {
      for (;;) yield new TextEncoder().encode(`data: ${'x'.repeat(100)}\n`)
    })(),
  )
  await assert.rejects(read(endless, { eventCharacters: 1_000 }), { name: 'ParseError' })
})

test('the bytes are let go of when the reader leaves', async () => {
  const released = Promise.withResolvers<void>()
  const bytes = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
    cancel: () => released.resolve(),
  })
  for await (const event of readEvents(bytes)) {
    assert.equal(event.data, 1)
    break
  }
  await released.promise
})
