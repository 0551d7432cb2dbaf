import assert from 'node:assert/strict'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { temporaryDirectory } from '@backplane/testing'
import { Uploads } from './uploads.ts'

test('of what was sent and not installed so many are kept, for so long; what the lock names stays', async (t) => {
  const directory = await temporaryDirectory(t)
  const put = async (name: string, agoMs: number): Promise<string> => {
    const path = join(directory, name)
    await writeFile(path, name)
    const at = new Date(Date.now() - agoMs)
    await utimes(path, at, at)
    return path
  }
  const named = await put('installed', 1_000_000)
  await put('old', 200_000)
  for (const [at, name] of ['c', 'b', 'a'].entries()) await put(name, at * 1_000)
  const uploads = await Uploads.open(directory, { keepMs: 100_000, most: 2 })
  assert.equal(await uploads.collect(new Set([named])), 2)
  assert.deepEqual((await readdir(directory)).toSorted(), ['b', 'c', 'installed'])
  assert.equal(await uploads.collect(new Set()), 1)
})

test('what was being sent when a daemon was killed is gone at its next start', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, '.incoming-1'), 'half')
  await Uploads.open(directory)
  assert.deepEqual(await readdir(directory), [])
})

test('several who tidy up at once do not stand in each other’s way', async (t) => {
  const directory = await temporaryDirectory(t)
  const uploads = await Uploads.open(directory, { most: 1 })
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 60 }, (_, at) => writeFile(join(directory, `${at}.archive`), '')))
    const collected = Array.from({ length: 8 }, async (_, at) => {
      for (let turn = 0; turn < at * 4; turn += 1) await setImmediate()
      return uploads.collect(new Set())
    })
    await Promise.all(collected)
    assert.equal((await readdir(directory)).length, 1)
  }
})
