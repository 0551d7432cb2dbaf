import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { SharedCalls } from './shared-calls.ts'

const here = new AbortController().signal

/** Work that ends when it is told to. */
function rounds(): {
  work: (signal: AbortSignal) => Promise<number>
  begun: () => number
  end: (error?: Error) => void
  aborted: () => number
} {
  let begun = 0
  let aborted = 0
  let current = Promise.withResolvers<number>()
  return {
    work: (signal) => {
      begun += 1
      signal.addEventListener('abort', () => {
        aborted += 1
        current.reject(signal.reason)
      })
      current = Promise.withResolvers<number>()
      return current.promise
    },
    begun: () => begun,
    aborted: () => aborted,
    end: (error) => (error === undefined ? current.resolve(begun) : current.reject(error)),
  }
}

test('who asks while the work runs shares the round after it, and nobody gets an answer from before they asked', async () => {
  const calls = new SharedCalls()
  const { work, begun, end } = rounds()
  const ask = (): Promise<number> => calls.run('k', here, work)
  const first = ask()
  await turn()
  const later = Promise.all([ask(), ask(), ask()])
  await turn()
  assert.equal(begun(), 1)
  end()
  assert.equal(await first, 1)
  await turn()
  assert.equal(begun(), 2)
  end()
  assert.deepEqual(await later, [2, 2, 2])
  const fresh = ask()
  await turn()
  end()
  assert.equal(await fresh, 3, 'nothing is kept')
  const other = calls.run('other', here, work)
  await turn()
  end()
  assert.equal(await other, 4)
})

test('the work is aborted when all who asked have gone, and not before', async () => {
  const calls = new SharedCalls()
  const { work, aborted, end, begun } = rounds()
  const [one, two] = [new AbortController(), new AbortController()]
  const asked = [one, two].map(({ signal }) => calls.run('k', signal, work))
  await turn()
  one.abort(new Error('the first left'))
  await assert.rejects(asked[0] ?? Promise.resolve(), /the first left/)
  assert.equal(aborted(), 0)
  two.abort(new Error('the second left'))
  await assert.rejects(asked[1] ?? Promise.resolve(), /the second left/)
  assert.equal(aborted(), 1)
  await assert.rejects(calls.run('k', AbortSignal.abort(new Error('gone already')), work), /gone already/)
  const next = calls.run('k', here, work)
  await turn()
  end()
  assert.equal(await next, begun())
})

test('who leaves before their round begins leaves nothing behind, and a failure is everybody’s', async () => {
  const calls = new SharedCalls()
  const { work, begun, end } = rounds()
  const first = calls.run('k', here, work)
  const leaving = new AbortController()
  await turn()
  const waiting = calls.run('k', leaving.signal, work)
  leaving.abort(new Error('left'))
  await assert.rejects(waiting, /left/)
  end()
  await first
  await turn()
  assert.equal(begun(), 1, 'nobody waits for a second round')
  const failing = [calls.run('k', here, work), calls.run('k', here, work)]
  await turn()
  end(new Error('no'))
  for (const one of failing) await assert.rejects(one, /no/)
})

test('who comes after somebody left before the round began gets an answer', async () => {
  const calls = new SharedCalls()
  const { work, begun, end } = rounds()
  const first = calls.run('k', here, work)
  await turn()
  const leaving = new AbortController()
  const waiting = calls.run('k', leaving.signal, work)
  leaving.abort(new Error('left'))
  const staying = calls.run('k', here, work)
  await assert.rejects(waiting, /left/)
  end()
  await first
  await turn()
  end()
  assert.deepEqual([await staying, begun()], [2, 2])
})

test('a round that hangs holds up the next one only for so long', async () => {
  const calls = new SharedCalls({ longestWaitMs: 1 })
  const leaving = new AbortController()
  const hanging = calls.run('k', leaving.signal, () => new Promise<never>(() => undefined))
  await turn()
  assert.equal(await calls.run('k', here, async () => 'answered'), 'answered')
  leaving.abort(new Error('left'))
  await assert.rejects(hanging, /left/)
})
