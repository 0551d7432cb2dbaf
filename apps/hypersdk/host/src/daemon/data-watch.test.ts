import assert from 'node:assert/strict'
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { temporaryDirectory } from '@backplane/testing'
import { Redactor } from '../secrets/redactor.ts'
import { DataWatch } from './data-watch.ts'
import { hostLog } from './host-log.ts'

test('a data directory that cannot be written to is told once, and once when it can be again', async (t) => {
  const directory = await temporaryDirectory(t)
  const lines: string[] = []
  const log = hostLog({ level: 'info', pretty: true, redactor: new Redactor(), write: (line) => lines.push(line) })
  using watch = new DataWatch(directory, log)
  assert.deepEqual([watch.problems(), watch.reasons()], [[], []])
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await pause(20)
  }
  // What stands in the way of writing, also for root.
  await mkdir(join(directory, 'write-probe'))
  await until(() => watch.reasons().length > 0)
  assert.match(watch.problems().join(), /^the data directory \/.* cannot be written: EISDIR/)
  assert.deepEqual(watch.reasons(), ['the data directory cannot be used'])
  await rmdir(join(directory, 'write-probe'))
  await until(() => watch.reasons().length === 0)
  assert.equal(lines.length, 2)
})
