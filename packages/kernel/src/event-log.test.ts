import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '@backplane/testing'
import { createEventLog } from './event-log.ts'

const event = (name: string): { type: 'secret.read'; plugin: string; name: string; found: boolean } => ({
  type: 'secret.read',
  plugin: 'a/b',
  name,
  found: true,
})

test('events are numbered from one and can be read from any number on', () => {
  const log = createEventLog(fakeClock(1_000), { write: () => undefined }, 4)
  for (const name of ['a', 'b', 'c']) log.record(event(name))
  const { events, complete } = log.since(1)
  assert.deepEqual(
    events.map(({ seq, atMs }) => [seq, atMs]),
    [
      [2, 1_000],
      [3, 1_000],
    ],
  )
  assert.ok(complete)
  assert.deepEqual(log.since(3), { events: [], complete: true })
  assert.deepEqual(log.since(99), { events: [], complete: true })
})

test('only the newest are kept, and who comes too late is told so', () => {
  const log = createEventLog(fakeClock(), { write: () => undefined }, 4)
  for (let at = 1; at <= 10; at += 1) log.record(event(String(at)))
  assert.deepEqual(
    log.since(0).events.map(({ seq }) => seq),
    [7, 8, 9, 10],
  )
  assert.deepEqual([log.since(5).complete, log.since(6).complete], [false, true])
})

test('listeners are told in order; one that throws is dropped and logged', () => {
  const lines: string[] = []
  const log = createEventLog(fakeClock(), { write: ({ message }) => void lines.push(message) }, 4)
  const seen: number[] = []
  log.subscribe(() => {
    throw new Error('listener')
  })
  const subscription = log.subscribe(({ seq }) => void seen.push(seq))
  log.record(event('a'))
  log.record(event('b'))
  subscription[Symbol.dispose]()
  log.record(event('c'))
  assert.deepEqual(seen, [1, 2])
  assert.deepEqual(lines, ['an event listener threw and was dropped: listener'])
})
