import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, itemsOf, plain, rejection, RuntimeSubject, type MakeRuntime } from './runtime-subject.ts'

/** Ahead of its consumer no producer may be by more than this, whatever the tier keeps on the way. */
const mostAhead = 200

/** Calls of many answers. */
export function runtimeStreamRules(make: MakeRuntime): void {
  const rule = (title: string, check: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => check(await RuntimeSubject.make(t, make)))
  }

  rule('the items of a stream come in order and end', async (subject) => {
    const instance = await subject.start()
    const items = await itemsOf(instance.stream(plain('count'), 300, context()))
    assert.deepEqual(
      items,
      Array.from({ length: 300 }, (_, at) => at + 1),
    )
  })

  rule('items carry bytes', async (subject) => {
    const instance = await subject.start()
    let at = 0
    for await (const item of instance.stream(plain('chunks'), { count: 20, size: 100_000 }, context())) {
      const { at: said, bytes } = item as { at: number; bytes: Uint8Array }
      assert.equal(said, at)
      assert.equal(bytes.length, 100_000)
      assert.equal(
        bytes.every((byte) => byte === at),
        true,
      )
      at += 1
    }
    assert.equal(at, 20)
  })

  rule('a producer is held back while its consumer does not read, and told when it leaves', async (subject) => {
    const instance = await subject.start()
    let read = 0
    for await (const _item of instance.stream(plain('endless'), null, context())) {
      read += 1
      if (read < 3) continue
      for (let turn = 0; turn < 20; turn++) await instance.call(plain('echo'), turn, context())
      const produced = Number(await instance.call(plain('produced'), null, context()))
      assert.ok(produced <= read + mostAhead, `${produced} items were made for ${read} read`)
      break
    }
    await subject.line('stream left')
    await subject.line('stream signal aborted')
  })

  rule('a stream that fails gives what came before, then its error', async (subject) => {
    const instance = await subject.start()
    const items: unknown[] = []
    const reading = (async () => {
      for await (const item of instance.stream(plain('broken'), null, context())) items.push(item)
    })()
    assert.equal((await rejection(reading))['code'], 'TORN')
    assert.deepEqual(items, ['fine'])
  })

  rule('a method that answers no iterable is refused as a stream', async (subject) => {
    const instance = await subject.start()
    const error = await rejection(itemsOf(instance.stream(plain('notStream'), null, context())))
    assert.equal(error['code'], 'RUNTIME_ANSWER_INVALID')
  })

  rule('several streams at once do not disturb each other', async (subject) => {
    const instance = await subject.start()
    const streams = Array.from({ length: 10 }, (_, at) => itemsOf(instance.stream(plain('count'), at * 10, context())))
    const lengths = (await Promise.all(streams)).map((items) => items.length)
    assert.deepEqual(
      lengths,
      lengths.map((_, at) => at * 10),
    )
  })
}
