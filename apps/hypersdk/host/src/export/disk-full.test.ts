import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import { makeBed } from './fixtures/provider-in-memory.ts'

const script = fileURLToPath(new URL('./fixtures/export-to-full-disk.ts', import.meta.url))

for (const compress of ['', 'compress']) {
  test(`a full disk ends the export with what is needed, and leaves nothing ${compress === '' ? '' : '(compressed)'}`, async (t) => {
    if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
    const { root } = await makeBed(t)
    const sandbox = ['--bind', '/', '/', '--dev', '/dev', '--size', String(4 * 1_048_576), '--tmpfs', root]
    const node = [process.execPath, '--conditions=@backplane/source', script, root, compress]
    const { stdout } = await promisify(execFile)('bwrap', [...sandbox, ...node], { env: {} })
    const { error, left, cleaned } = JSON.parse(stdout)
    assert.equal(error.code, 'EXPORT_DISK_FULL')
    assert.match(error.message, /exports\/web\.raw/)
    assert.ok(error.details.needed_bytes > 0)
    assert.deepEqual([left, cleaned], [[], ['export-1']])
  })
}
