import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { Redactor } from '../secrets/redactor.ts'
import type { JobDefinition } from './job-definition.ts'
import { JobLedger } from './job-ledger.ts'
import { JobStore, type JobStoreLimits } from './job-store.ts'

async function storeFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-jobs-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'jobs.sqlite')
}

function openLedger(t: TestContext, file: string, limits: Partial<JobStoreLimits> = {}): { ledger: JobLedger; store: JobStore } {
  const store = new JobStore(file, { keepFinished: 100, maxLogLines: 100, ...limits })
  t.after(() => store[Symbol.dispose]())
  return { ledger: new JobLedger(store, new Redactor()), store }
}

function definition(id: string): JobDefinition {
  const options = { include_snapshots: false, remove_cdrom: false, overwrite: false }
  const created_at = new Date(0).toISOString()
  const common = { format: 'raw', compress: false, options, metadata: {}, created_at } as const
  return { id, name: id, provider: 'p', vm_id: 'v', vm_path: 'v', output_dir: '/x', output_path: '/x', ...common }
}

const error = { code: 'X', message: 'x', retryable: false }

test('jobs outlive the store that wrote them', async (t) => {
  const file = await storeFile(t)
  const first = openLedger(t, file)
  first.ledger.add([definition('a'), definition('b')])
  first.ledger.change('a', { status: 'running', attempts: 1 })
  first.ledger.log('a', 'info', 'hello', { n: 1 })
  first.store[Symbol.dispose]()
  const { ledger } = openLedger(t, file)
  assert.deepEqual(
    ledger.unfinished().map((job) => [job.definition.id, job.status, job.attempts]),
    [
      ['a', 'running', 1],
      ['b', 'pending', 0],
    ],
  )
  assert.deepEqual(
    ledger.logs('a', 0, 10).map((line) => [line.seq, line.message, line.fields]),
    [[1, 'hello', { n: 1 }]],
  )
})

test('of several new jobs with an id that exists none is added', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t))
  ledger.add([definition('a')])
  assert.throws(() => ledger.add([definition('b'), definition('a')]))
  assert.equal(ledger.find('b'), undefined)
})

test('jobs are found by id and status, newest first, with the total beyond the limit', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t))
  ledger.add(['a', 'b', 'c', 'd'].map(definition))
  ledger.change('b', { status: 'running' })
  const found = ledger.query({ statuses: ['pending'], limit: 2 })
  assert.deepEqual([found.jobs.map((job) => job.definition.id), found.total], [['d', 'c'], 3])
  assert.deepEqual(
    ledger.query({ ids: ['a', 'b', 'nope'], limit: 9 }).jobs.map((job) => job.definition.id),
    ['b', 'a'],
  )
  assert.equal(ledger.query({ ids: [], limit: 9 }).total, 0)
})

test('of ended jobs the newest stay, and running ones always', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t), { keepFinished: 2 })
  ledger.add(['a', 'b', 'c', 'd'].map(definition))
  ledger.change('a', { status: 'running' })
  const { PlatformError } = await import('@backplane/sdk')
  for (const id of ['b', 'c', 'd']) ledger.end(id, { status: 'failed', error: PlatformError.fromJSON(error) })
  assert.deepEqual(
    ledger.owed().map(({ job_id, status }) => `${job_id} ${status}`),
    ['b failed', 'c failed', 'd failed'],
  )
  assert.equal(ledger.query({ limit: 9 }).total, 4, 'a job whose hooks were not told stays')
  for (const id of ['b', 'c', 'd']) ledger.told(id)
  assert.deepEqual(ledger.owed(), [])
  assert.deepEqual(
    ledger.query({ limit: 9 }).jobs.map((job) => job.definition.id),
    ['d', 'c', 'a'],
  )
  assert.deepEqual(ledger.logs('b', 0, 9), [])
})

test('of a log the newest lines stay, and their numbers go on', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t), { maxLogLines: 3 })
  ledger.add([definition('a')])
  for (let n = 1; n <= 5; n++) ledger.log('a', 'info', `line ${n}`)
  assert.deepEqual(
    ledger.logs('a', 0, 9).map((line) => line.seq),
    [3, 4, 5],
  )
  assert.equal(ledger.lastLogSeq('a'), 5)
})

test('an unknown job is an error that says so', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t))
  assert.throws(() => ledger.get('nope'), { code: 'JOB_UNKNOWN' })
})

test('a line for a job that was forgotten meanwhile is dropped', async (t) => {
  const { ledger } = openLedger(t, await storeFile(t))
  ledger.log('nope', 'warn', 'a hook that took long failed')
  assert.deepEqual(ledger.logs('nope', 0, 9), [])
})

test('the jobs belong to the daemon alone, and a file that is none, or of a later version, is refused', async (t) => {
  const file = await storeFile(t)
  openLedger(t, file).store[Symbol.dispose]()
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  {
    using later = new DatabaseSync(file)
    later.exec('PRAGMA user_version = 99')
  }
  assert.throws(() => openLedger(t, file), { code: 'STORE_TOO_NEW' })
  const broken = await storeFile(t)
  await writeFile(broken, 'not a database, and long enough to be looked at as one'.repeat(100))
  assert.throws(() => openLedger(t, broken), { code: 'STORE_CORRUPT' })
})
