import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '@backplane/sdk'
import type { Notice } from './notice.ts'
import { Outbox, type OutboxLimits } from './outbox.ts'

interface Box {
  readonly outbox: Outbox
  readonly sent: string[]
  readonly warned: string[]
}

function box(
  limits: Partial<OutboxLimits>,
  perMinute = 60,
  send: (notice: Notice, signal: AbortSignal) => Promise<void> = async () => undefined,
): Box {
  const sent: string[] = []
  const warned: string[] = []
  const quiet = (): void => undefined
  const log: Logger = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (message, fields) => void warned.push(`${message} ${JSON.stringify(fields)}`),
  }
  const recorded = async (notice: Notice, signal: AbortSignal): Promise<void> => {
    sent.push(notice.text)
    await send(notice, signal)
  }
  return { outbox: new Outbox({ send: recorded, perMinute, log, limits }), sent, warned }
}

const notice = (text: string): Notice => ({ event: 'test', at: '2026-11-21T10:00:00Z', text, details: {} })

test('messages go out one after the other, also past one that cannot be sent', async () => {
  let atOnce = 0
  const { outbox, sent, warned } = box({}, 60, async ({ text }) => {
    atOnce += 1
    assert.equal(atOnce, 1)
    await new Promise(setImmediate)
    atOnce -= 1
    if (text === 'b') throw new Error('it is not taken')
  })
  for (const text of ['a', 'b', 'c']) outbox.put(notice(text))
  await outbox.settled()
  assert.deepEqual(sent, ['a', 'b', 'c'])
  assert.equal(warned.length, 1)
})

test('more than may wait are left out, and the next one says how many', async () => {
  const { promise: held, resolve: go } = Promise.withResolvers<void>()
  const { outbox, sent } = box({ waiting: 2 }, 60, () => held)
  outbox.put(notice('first'))
  await new Promise(setImmediate)
  for (const text of ['a', 'b', 'c', 'd']) outbox.put(notice(text))
  go()
  await outbox.settled()
  assert.deepEqual(sent, ['first', 'a (2 messages before it were left out)', 'b'])
})

test('a plugin that talks without end leaves room for what the host has to say', async () => {
  const { promise: held, resolve: go } = Promise.withResolvers<void>()
  const { outbox, sent } = box({ waiting: 4 }, 60, () => held)
  outbox.put(notice('first'))
  await new Promise(setImmediate)
  for (let at = 0; at < 100; at += 1) outbox.put({ ...notice(`chat ${at}`), event: 'plugin-event' })
  outbox.put(notice('from the host'))
  go()
  await outbox.settled()
  assert.deepEqual(sent, ['first', 'chat 0 (98 messages before it were left out)', 'chat 1', 'from the host'])
})

test('no more go out in one window than may', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 })
  const { outbox, sent } = box({ windowMs: 1_000 }, 2)
  for (const text of ['a', 'b', 'c', 'd', 'e']) outbox.put(notice(text))
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  }
  await settle()
  assert.deepEqual(sent, ['a', 'b'])
  t.mock.timers.tick(999)
  await settle()
  assert.deepEqual(sent, ['a', 'b'])
  t.mock.timers.tick(1)
  await settle()
  assert.deepEqual(sent, ['a', 'b', 'c', 'd'])
  const disposed = outbox[Symbol.asyncDispose]()
  await disposed
  assert.deepEqual(sent, ['a', 'b', 'c', 'd', 'e'])
})

test('what cannot be sent before the end is given up, counted and told', async () => {
  const { outbox, warned } = box({ flushMs: 1 }, 60, (_, signal) => {
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
  })
  for (const text of ['a', 'b', 'c']) outbox.put(notice(text))
  await outbox[Symbol.asyncDispose]()
  outbox.put(notice('too late'))
  assert.deepEqual(
    warned.map((line) => line.replace(/ \{"event.*/, '')),
    ['a message was not sent', 'messages were not sent before the end {"count":2}'],
  )
})
