import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'node:test'
import { imageBench, writeSparseDisk } from './fixtures/image-files.ts'

const program = fileURLToPath(new URL('fixtures/export-without-programs.ts', import.meta.url))
const repository = fileURLToPath(new URL('../../../../../', import.meta.url))

test('without qemu-img an image still comes out as it is, and another format is an error that names the package', async (t) => {
  const { images, staging } = await imageBench(t)
  // Larger and sparser than where qemu-img would be asked for the holes.
  await writeSparseDisk(join(images, 'web.raw'), 64 * 1024 * 1024)
  const reads = [repository, images, staging].map((path) => `--allow-fs-read=${path}`)
  const flags = ['--conditions=@backplane/source', '--permission', ...reads, `--allow-fs-write=${staging}`]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, images, staging, 'web.raw'], { env: {} })
  const { format, items, error } = JSON.parse(stdout) as {
    format: string
    items: string[]
    error: { code: string; message: string; hint: string }
  }
  assert.equal(format, 'qcow2')
  assert.deepEqual(items, ['vm', 'disk', 'bytes', 'hole', 'bytes', 'hole', 'bytes', 'vm', 'disk'])
  assert.equal(error.code, 'IMAGES_PROGRAM_MISSING')
  assert.match(error.message, /exporting raw as qcow2 needs qemu-img, which this plugin may not run/)
  assert.match(error.hint, /Debian package qemu-utils/)
})
