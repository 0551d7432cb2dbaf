import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { DataSchedule, freeSpaceOf } from './data-schedule.ts'

const most = { bytes: 1_000, files: 100 }
const free = { bytes: 50_000, files: 5_000 }
const now = { tookMs: 1, nowMs: 10_000 }

function counted(bytes: number, files: number): DataSchedule {
  const schedule = new DataSchedule(most)
  schedule.counted({ bytes, files }, free, now)
  return schedule
}

test('a directory nobody has counted yet is counted', () => {
  assert.equal(new DataSchedule(most).isDue(free, 0), true)
})

test('a directory is counted again when its file system lost more than it may still take, and not before', () => {
  const schedule = counted(600, 90)
  assert.equal(schedule.isDue({ bytes: free.bytes - 400, files: free.files - 10 }, 10_500), false)
  assert.equal(schedule.isDue({ bytes: free.bytes - 401, files: free.files }, 10_500), true)
  assert.equal(schedule.isDue({ bytes: free.bytes, files: free.files - 11 }, 10_500), true)
  assert.equal(schedule.isDue({ bytes: free.bytes + 9_999, files: free.files }, 10_500), false)
})

test('one that is too full already is counted at each look', () => {
  assert.equal(counted(1_001, 1).isDue(free, 10_500), true)
})

test('after five seconds it is counted whatever its file system says: others may have freed what it took', () => {
  assert.equal(counted(0, 0).isDue(free, 14_999), false)
  assert.equal(counted(0, 0).isDue(free, 15_000), true)
})

test('counting takes a twentieth of the time at most, however much others write', () => {
  const schedule = new DataSchedule(most)
  schedule.counted({ bytes: 0, files: 0 }, free, { tookMs: 100, nowMs: 10_000 })
  const full = { bytes: 0, files: 0 }
  assert.equal(schedule.isDue(full, 11_999), false)
  assert.equal(schedule.isDue(full, 12_000), true)
})

test('what a file system has left is told in bytes and files', async (t) => {
  const { bytes, files } = await freeSpaceOf(await temporaryDirectory(t))
  assert.ok(bytes > 1_000_000 && Number.isSafeInteger(bytes) && files >= 0)
})
