import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { test } from 'node:test'
import { hyperctl } from '../fixtures/captured-terminal.ts'
import { realDaemon } from '../fixtures/real-daemon.ts'

test('a finished export is verified file by file, and a changed byte is told and ends with 1', async () => {
  await using daemon = await realDaemon()
  const run = (...args: string[]): ReturnType<typeof hyperctl> => hyperctl(daemon.socket, args)
  const submitted = await run('submit', '--provider', 'samples', '--vm', 'web-1.raw', '--output', 'verified', '--watch', '--json')
  const [end] = submitted.out.trim().split('\n').slice(-1)
  const job = JSON.parse(end ?? '').data
  const { id } = job.definition
  const [file] = job.result.files

  const good = await run('verify', id)
  assert.deepEqual([good.code, good.out], [0, `intact  ${file}\n`])
  await using disk = await open(file, 'r+')
  await disk.write('x', 5)
  const bad = await run('verify', id)
  assert.deepEqual([bad.code, bad.out], [1, `wrong-checksum  ${file}\n`])
  const asJson = await run('verify', id, '--json')
  assert.deepEqual([asJson.code, JSON.parse(asJson.out).ok, JSON.parse(asJson.out).files[0].status], [1, false, 'wrong-checksum'])
  const unknown = await run('verify', 'nobody')
  assert.equal(unknown.code, 66)
  assert.match(unknown.err, /JOB_UNKNOWN/)
})
