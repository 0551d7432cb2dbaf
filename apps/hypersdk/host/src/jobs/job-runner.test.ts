import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import { Redactor } from '../secrets/redactor.ts'
import type { JobSurroundings } from './job-attempt.ts'
import { JobLedger } from './job-ledger.ts'
import { JobRunner } from './job-runner.ts'
import { JobStore } from './job-store.ts'

test('a job that has ended cannot be cancelled, nor one that never was', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'hypersdk-runner-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  using store = new JobStore(join(directory, 'jobs.sqlite'), { keepFinished: 10, maxLogLines: 10 })
  const ledger = new JobLedger(store, new Redactor())
  const options = { include_snapshots: false, remove_cdrom: false, overwrite: false }
  const common = { format: 'raw', compress: false, options, metadata: {}, created_at: new Date(0).toISOString() } as const
  ledger.add([
    { id: 'a', name: 'a', provider: 'p', vm_id: 'v', vm_path: 'v', output_dir: directory, output_path: directory, ...common },
  ])
  ledger.end('a', { status: 'failed', error: new PlatformError('X', 'x') })
  const runner = new JobRunner({ ledger } as unknown as JobSurroundings)
  assert.throws(() => runner.cancel('a'), { code: 'JOB_FINISHED', message: /failed already/ })
  assert.throws(() => runner.cancel('b'), { code: 'JOB_UNKNOWN' })
})
