import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import type { ExportItem } from '@hypersdk/points'
import { makeBed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'
import { verifyArtifact } from './verify-artifact.ts'

async function* abc(): AsyncGenerator<ExportItem> {
  yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3 }
  yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('abc') }
}

test('an existing file is refused before the provider is asked, and replaced when the user says so', async (t) => {
  const bed = await makeBed(t)
  await runExport(bed.input(abc))
  const untouched = await readFile(join(bed.output, 'web.raw'))
  let asked = 0
  const other = async function* (): AsyncGenerator<ExportItem> {
    asked++
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 2 }
    yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('xy') }
  }
  const again = { exportId: 'export-2' }
  await assert.rejects(runExport(bed.input(other, again)), { code: 'EXPORT_TARGET_EXISTS', message: /web\.manifest\.json/ })
  assert.deepEqual([asked, bed.cleaned], [0, []])
  assert.ok((await readFile(join(bed.output, 'web.raw'))).equals(untouched))
  const result = await runExport(bed.input(other, { ...again, options: { overwrite: true } }))
  assert.equal(await readFile(result.output_path, 'utf8'), 'xy')
  assert.ok((await verifyArtifact(join(bed.output, 'web.manifest.json'))).ok)
})

test('a second disk’s existing file is refused when the disk is declared, and a directory is never replaced', async (t) => {
  const bed = await makeBed(t)
  const two = async function* (): AsyncGenerator<ExportItem> {
    yield* abc()
    yield { kind: 'disk', disk: 'b', format: 'raw', size_bytes: 3 }
    yield { kind: 'bytes', disk: 'b', offset: 0, bytes: Buffer.from('abc') }
  }
  await runExport(bed.input(abc, { vm: { name: 'web-disk-2' } }))
  await assert.rejects(runExport(bed.input(two)), { code: 'EXPORT_TARGET_EXISTS', message: /web-disk-2\.raw/ })
  assert.deepEqual(await bed.listing(), ['web-disk-2.manifest.json', 'web-disk-2.raw'])
})

test('two exports to one name at a time are told apart at the start of the second', async (t) => {
  const bed = await makeBed(t)
  const { promise: go, resolve: release } = Promise.withResolvers<undefined>()
  const slow = async function* (): AsyncGenerator<ExportItem> {
    await go
    yield* abc()
  }
  const first = runExport(bed.input(slow))
  await assert.rejects(runExport(bed.input(abc, { exportId: 'export-2' })), { code: 'EXPORT_TARGET_BUSY', retryable: true })
  release(undefined)
  await first
  await assert.rejects(runExport(bed.input(abc, { exportId: 'export-2' })), { code: 'EXPORT_TARGET_EXISTS' })
})

test('a format that is a package of files is refused', async (t) => {
  const bed = await makeBed(t)
  await assert.rejects(runExport(bed.input(abc, { options: { format: 'ova' } })), {
    code: 'EXPORT_FORMAT_UNSUPPORTED',
    hint: /qcow2/,
  })
})

test('a directory that cannot be made or written is told by its path', async (t) => {
  const bed = await makeBed(t)
  await writeFile(join(bed.root, 'file'), '')
  for (const outputDirectory of [join(bed.root, 'file'), join(bed.root, 'file', 'below'), 'relative']) {
    await assert.rejects(runExport(bed.input(abc, { outputDirectory })), {
      code: 'EXPORT_WRITE_FAILED',
      message: new RegExp(outputDirectory),
    })
  }
})

test('machines whose names clean to the same words do not meet', async (t) => {
  const bed = await makeBed(t)
  await runExport(bed.input(abc, { vm: { name: 'a/b', id: '1' } }))
  await runExport(bed.input(abc, { vm: { name: 'a:b', id: '2' } }))
  assert.equal((await bed.listing()).length, 4)
})
