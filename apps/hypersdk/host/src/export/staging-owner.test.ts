import assert from 'node:assert/strict'
import { chown, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { StagingDirectory } from './staging-directory.ts'

test('what a plugin is to fill belongs to whom its exchange directory belongs to', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give directories away')
  const exchange = await mkdtemp(join(tmpdir(), 'hypersdk-exchange-'))
  t.after(() => rm(exchange, { recursive: true, force: true }))
  await chown(exchange, 60_710, 60_706)
  await using staging = await StagingDirectory.create(exchange, (error) => assert.fail(String(error)))
  const { uid, gid, mode } = await stat(staging.path)
  assert.deepEqual([uid, gid, mode & 0o777], [60_710, 60_706, 0o700])
})
