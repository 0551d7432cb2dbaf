import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ExportsConfig } from '../config/host-config.ts'
import { exportTarget } from './job-target.ts'

async function places(t: TestContext): Promise<{ root: string; config: ExportsConfig }> {
  const root = await mkdtemp(join(tmpdir(), 'hypersdk-target-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const numbers = { maxConcurrent: 1, maxQueued: 1, maxAttempts: 1, retryDelayMs: 1, maxCrashes: 1 }
  const limits = { drainTimeoutMs: 1, keepFinished: 1, maxLogLines: 1 }
  return { root, config: { directory: join(root, 'exports'), allow: [join(root, 'more')], ...numbers, ...limits } }
}

test("an export goes below the export directory, by the job's id when nothing else is said", async (t) => {
  const { root, config } = await places(t)
  assert.equal(await exportTarget(undefined, 'job-1', config), join(root, 'exports/job-1'))
  assert.equal(await exportTarget('a/b', 'job-1', config), join(root, 'exports/a/b'))
  assert.equal(await exportTarget(join(root, 'more/x'), 'job-1', config), join(root, 'more/x'))
})

test('a place outside, also by dots or through a link, is refused', async (t) => {
  const { root, config } = await places(t)
  await mkdir(config.directory)
  await symlink('/etc', join(config.directory, 'link'))
  for (const wanted of ['/etc', '../elsewhere', join(root, 'exports-not'), 'link/x', 'a\0b', join(root, 'more/../..')]) {
    await assert.rejects(exportTarget(wanted, 'job-1', config), { code: 'JOB_TARGET_FORBIDDEN' }, wanted)
  }
})

test('a cloud address is refused by its kind', async (t) => {
  const { config } = await places(t)
  await assert.rejects(exportTarget('s3://bucket/x', 'job-1', config), { code: 'JOB_TARGET_UNSUPPORTED', message: /s3:/ })
})
