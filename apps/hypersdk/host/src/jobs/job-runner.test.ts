import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { VmInfo, type ExportItem } from '@hypersdk/points'
import { makeBed } from '../export/fixtures/provider-in-memory.ts'
import { runExport } from '../export/run-export.ts'
import { Redactor } from '../secrets/redactor.ts'
import type { JobSurroundings } from './job-attempt.ts'
import type { JobDefinition } from './job-definition.ts'
import type { AcceptedJob } from './job-intake.ts'
import { JobLedger } from './job-ledger.ts'
import { JobRunner } from './job-runner.ts'
import { JobStore } from './job-store.ts'

test('a job that has ended cannot be cancelled, nor one that never was', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-runner-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  using store = new JobStore(join(directory, 'jobs.sqlite'), { keepFinished: 10, maxLogLines: 10 })
  const ledger = new JobLedger(store, new Redactor())
  ledger.add([definition(directory)])
  ledger.end('a', { status: 'failed', error: new PlatformError('X', 'x') })
  const runner = new JobRunner({ ledger } as unknown as JobSurroundings)
  assert.throws(() => runner.cancel('a'), { code: 'JOB_FINISHED', message: /failed already/ })
  assert.throws(() => runner.cancel('b'), { code: 'JOB_UNKNOWN' })
})

test('a full job store loses log lines, makes a job wait and refuses new ones, until a change can be written again', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-runner-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'jobs.sqlite')
  using store = new JobStore(file, { keepFinished: 10, maxLogLines: 1000, maxBytes: 256 * 1024 })
  const told: string[] = []
  const ledger = new JobLedger(store, new Redactor(), (error) => told.push(error.code))
  let opened = 0
  const filled = Promise.withResolvers<void>()
  const providers = {
    resolve: () => ({ type: 'p', instance: 'p' }),
    maxConcurrentExports: () => undefined,
    use: async () => {
      opened++
      if (opened === 1) {
        while (told.length === 0) ledger.log('a', 'info', 'x'.repeat(10_000))
        ledger.log('a', 'info', 'x'.repeat(10_000))
        setImmediate(filled.resolve)
      }
      throw new PlatformError('FULL_OF_WORDS', 'y'.repeat(50_000))
    },
  }
  const kernel = { emit: async () => ({ failures: [], changes: [] }) }
  const exports = { maxQueued: 10, maxConcurrent: 2, maxAttempts: 1, maxCrashes: 3, retryDelayMs: 1 }
  const around = { ledger, providers, kernel, exports } as unknown as JobSurroundings
  const runner = new JobRunner(around, { pauseMs: 60_000 })
  const accepted = (id: string): AcceptedJob => ({ definition: { ...definition(directory), id }, warnings: [] })
  runner.start()
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() })
  runner.submit([accepted('a')])
  await filled.promise
  assert.deepEqual(told, ['STORE_FULL'])
  assert.equal(ledger.get('a').status, 'pending')
  assert.throws(() => runner.submit([accepted('b')]), { code: 'JOB_STORE_FAILED', retryable: true })
  const other = new DatabaseSync(file)
  other.exec('DELETE FROM job_logs')
  other.close()
  const ended = Promise.withResolvers<void>()
  using _watch = ledger.feed.subscribe('a', () => ledger.get('a').status === 'failed' && ended.resolve())
  t.mock.timers.tick(60_000)
  await ended.promise
  assert.deepEqual([opened, ledger.get('a').failure?.code], [2, 'FULL_OF_WORDS'])
  runner.submit([accepted('b')])
  await runner.stop(0)
})

for (const [moment, status] of [
  ['when its last bytes have come', 'cancelled'],
  ['when its files have their names', 'completed'],
] as const) {
  test(`a job cancelled ${moment} ends ${status}, and the caller is told so`, async (t) => {
    const bed = await makeBed(t)
    using store = new JobStore(join(bed.root, 'jobs.sqlite'), { keepFinished: 10, maxLogLines: 10 })
    const ledger = new JobLedger(store, new Redactor())
    const { lease, client } = bed.input(async function* () {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3 }
      yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('abc') }
      if (status === 'cancelled') cancel()
    })
    const getVm = async (): Promise<VmInfo> => VmInfo.parse({ id: 'v', name: 'web', provider: 'p' })
    const use = { type: 'p', instance: 'p', lease, client: { ...client, getVm }, [Symbol.asyncDispose]: async () => {} }
    const providers = {
      resolve: () => ({ type: 'p', instance: 'p' }),
      maxConcurrentExports: () => undefined,
      callTimeoutMs: () => 60_000,
      use: async () => use,
    }
    const kernel = { emit: async (_hook: unknown, value: unknown) => ({ failures: [], changes: [], value }) }
    const exports = {
      directory: bed.output,
      allow: [],
      maxQueued: 10,
      maxConcurrent: 1,
      maxAttempts: 1,
      maxCrashes: 3,
      retryDelayMs: 1,
    }
    const runner = new JobRunner({ ledger, providers, kernel, exports } as unknown as JobSurroundings)
    runner.start()
    runner.submit([{ definition: definition(bed.output), warnings: [] }])
    const ended = Promise.withResolvers<void>()
    let refusal: unknown = 'never asked'
    function cancel(): void {
      refusal = undefined
      try {
        runner.cancel('a')
      } catch (error) {
        refusal = error
      }
    }
    using _watch = ledger.feed.subscribe('a', () => {
      const job = ledger.get('a')
      if (job.completed_at !== null) ended.resolve()
      else if (refusal === 'never asked' && job.progress?.phase === 'completed') cancel()
    })
    await ended.promise
    await runner.stop(0)
    assert.equal(ledger.get('a').status, status, ledger.get('a').error ?? '')
    assert.equal(refusal instanceof PlatformError ? refusal.code : refusal, status === 'completed' ? 'JOB_FINISHING' : undefined)
    assert.equal((await bed.listing()).length, status === 'completed' ? 2 : 0)
  })
}

test('a job whose export was published before a crash ends completed, and a cancel is told that it comes too late', async (t) => {
  for (const damaged of [false, true]) {
    const bed = await makeBed(t)
    using store = new JobStore(join(bed.root, 'jobs.sqlite'), { keepFinished: 10, maxLogLines: 10 })
    const ledger = new JobLedger(store, new Redactor())
    const exported = await runExport({ ...bed.input(threeBytes), exportId: 'a' })
    ledger.add([definition(bed.output)])
    ledger.change('a', { status: 'running', attempts: 1, crashes: 2, manifest: String(exported.metadata['manifest']) })
    if (damaged) await writeFile(exported.output_path, 'ab')
    const asked: string[] = []
    const providers = {
      resolve: () => ({ type: 'p', instance: 'p' }),
      maxConcurrentExports: () => undefined,
      use: async () => {
        asked.push('provider')
        throw new PlatformError('GONE', 'the provider is gone')
      },
    }
    const told: unknown[] = []
    const kernel = { emit: async (_hook: unknown, { status }: { status: string }) => ({ failures: [], told: told.push(status) }) }
    const exports = { maxConcurrent: 1, maxAttempts: 1, maxCrashes: 3 }
    const runner = new JobRunner({ ledger, providers, kernel, exports } as unknown as JobSurroundings)
    const ended = Promise.withResolvers<void>()
    using _watch = ledger.feed.subscribe('a', () => ledger.get('a').completed_at !== null && ended.resolve())
    runner.start()
    assert.throws(() => runner.cancel('a'), { code: 'JOB_FINISHING' })
    await ended.promise
    await runner.stop(0)
    const { status, result, failure, manifest } = ledger.get('a')
    if (damaged) assert.deepEqual([status, failure?.code, manifest, asked.length], ['failed', 'GONE', null, 1])
    else assert.deepEqual([status, result?.checksum, asked], ['completed', exported.checksum, []])
    assert.deepEqual(told, [status])
  }
})

async function* threeBytes(): AsyncGenerator<ExportItem> {
  yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3 }
  yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('abc') }
}

function definition(directory: string): JobDefinition {
  const options = { include_snapshots: false, remove_cdrom: false, overwrite: false }
  const common = { format: 'raw', compress: false, options, metadata: {}, created_at: new Date(0).toISOString() } as const
  return { id: 'a', name: 'a', provider: 'p', vm_id: 'v', vm_path: 'v', output_dir: directory, output_path: directory, ...common }
}
