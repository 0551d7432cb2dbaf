import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { rehearse } from './rehearse.ts'

test('a rehearsal leaves nothing behind: no handle, no listener, no name', async () => {
  const left = (): unknown => [
    process.getActiveResourcesInfo().filter((name) => name !== 'Immediate'),
    process.eventNames().map((name) => [name, process.listenerCount(name)]),
    Reflect.ownKeys(globalThis).length,
  ]
  await setImmediate()
  const before = left()
  await rehearse()
  await setImmediate()
  assert.deepEqual(left(), before)
})

test('a rehearsal that cannot be held does not fail: the plugin that comes will say why', async (t) => {
  t.mock.method(Object, 'freeze', () => {
    throw new Error('no')
  })
  await assert.doesNotReject(rehearse())
})
