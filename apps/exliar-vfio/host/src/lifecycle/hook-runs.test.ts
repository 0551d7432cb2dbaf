import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '@backplane/kernel'
import type { HookRun } from '../plugins/hook-run.ts'
import { HookRuns } from './hook-runs.ts'

function run(hook: string, at: number, value: unknown = null): HookRun {
  return { hook, at: new Date(at).toISOString(), subject: String(at), value, steps: [], refused: null }
}

test('the last ten runs of each hook are kept, newest first, also from one command to the next', async () => {
  const store = memoryStore()
  const first = new HookRuns(store)
  for (let at = 0; at < 8; at++) first.record(run('gpu-detected', at))
  first.record(run('cleanup', 0))
  await first.settled()
  const second = new HookRuns(store)
  for (let at = 8; at < 12; at++) second.record(run('gpu-detected', at))
  const kept = await second.of('gpu-detected')
  assert.deepEqual(
    kept.map(({ subject }) => Number(subject)),
    [11, 10, 9, 8, 7, 6, 5, 4, 3, 2],
  )
  assert.equal((await second.of('cleanup')).length, 1)
  assert.deepEqual(await second.of('pre-vm-start'), [])
})

test('two programs that write at once lose no run of each other, and no more are stored than are kept', async () => {
  const store = memoryStore()
  for (let at = 0; at < 24; at += 2) {
    const both = [new HookRuns(store), new HookRuns(store)]
    for (const [index, runs] of both.entries()) runs.record(run('gpu-detected', at + index))
    await Promise.all(both.map((runs) => runs.settled()))
  }
  const kept = await new HookRuns(store).of('gpu-detected')
  assert.deepEqual(
    kept.map(({ subject }) => Number(subject)),
    [23, 22, 21, 20, 19, 18, 17, 16, 15, 14],
  )
  assert.ok((await store.keys('exliar:hook-runs', '')).length <= 11)
})

test('many runs are written together', async () => {
  const store = memoryStore()
  let writes = 0
  const counting = {
    ...store,
    get: store.get.bind(store),
    keys: store.keys.bind(store),
    set: async (...args: Parameters<typeof store.set>) => {
      writes++
      return store.set(...args)
    },
  }
  const runs = new HookRuns(counting)
  for (let at = 0; at < 50; at++) runs.record(run('gpu-detected', at))
  await runs.settled()
  assert.equal(writes, 1)
})

test('a value that is very large is left out, and said to be', async () => {
  const runs = new HookRuns(memoryStore())
  runs.record(run('device-enumeration', 0, 'x'.repeat(100_000)))
  const [kept] = await runs.of('device-enumeration')
  assert.deepEqual(kept?.value, { left_out: '100002 characters' })
})

test('a store that cannot be written to is told when everything is to be settled', async () => {
  const store = memoryStore()
  const full = { ...store, keys: store.keys.bind(store), set: () => Promise.reject(new Error('no space left')) }
  const runs = new HookRuns(full)
  runs.record(run('cleanup', 0))
  await assert.rejects(runs.settled(), /no space left/)
})

test('a write that failed keeps no later run from being kept, and is told all the same', async () => {
  const store = memoryStore()
  let isFull = true
  const set: typeof store.set = (...args) => (isFull ? Promise.reject(new Error('no space left')) : store.set(...args))
  const runs = new HookRuns({ ...store, get: store.get.bind(store), keys: store.keys.bind(store), set })
  runs.record(run('cleanup', 0))
  await assert.rejects(runs.settled())
  isFull = false
  runs.record(run('cleanup', 1))
  assert.deepEqual(
    (await runs.of('cleanup')).map(({ subject }) => subject),
    ['1'],
  )
  await assert.rejects(runs.settled(), /no space left/)
})
