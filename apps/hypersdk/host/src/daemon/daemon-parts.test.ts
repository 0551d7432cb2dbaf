import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redactor } from '../secrets/redactor.ts'
import { missingBundledPlugins } from './bundled-plugins.ts'
import { lockDataDirectory } from './data-lock.ts'
import { hostLog } from './host-log.ts'

test('a data directory belongs to one daemon at a time', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'hypersdk-lock-'))
  t.after(() => rm(parent, { recursive: true, force: true }))
  const directory = join(parent, 'data')
  const lock = await lockDataDirectory(directory)
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
  await assert.rejects(lockDataDirectory(directory), {
    code: 'DAEMON_ALREADY_RUNNING',
    message: new RegExp(`process ${process.pid}`),
  })
  lock[Symbol.dispose]()
  using again = await lockDataDirectory(directory)
  assert.ok(again)
})

test('a data directory that cannot be made is told as such, and not as a daemon that runs', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'hypersdk-lock-'))
  t.after(() => rm(parent, { recursive: true, force: true }))
  await writeFile(join(parent, 'file'), '')
  await assert.rejects(lockDataDirectory(join(parent, 'file/data')), { code: 'STORE_UNUSABLE', message: /file\/data/ })
})

test('log lines are JSON with secrets blanked, and lines for people on a terminal', () => {
  const redactor = new Redactor()
  redactor.learn('hunter2hunter2')
  const lines: string[] = []
  const write = (line: string): void => void lines.push(line)
  const log = hostLog({ level: 'info', pretty: false, redactor, write })
  log.debug('not shown')
  log.write({ level: 'warn', message: 'token hunter2hunter2', plugin: 'a/b', fields: { deep: { token: 'hunter2hunter2' } } })
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.deepEqual(
    [line['level'], line['msg'], line['plugin'], line['deep']],
    ['warn', 'token [redacted]', 'a/b', { token: '[redacted]' }],
  )
  hostLog({ level: 'info', pretty: true, redactor, write }).info('hello', { n: 1 })
  assert.match(lines[1] ?? '', /info.*hello.*n=1/)
  assert.equal(lines.length, 2)
})

test('every bundled plugin is where the daemon looks for it', () => {
  assert.deepEqual(missingBundledPlugins(), [])
})
