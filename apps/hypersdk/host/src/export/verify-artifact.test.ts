import assert from 'node:assert/strict'
import { appendFile, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { readArtifactManifest } from './artifact-manifest.ts'
import { twoDisks } from './fixtures/export-in-child.ts'
import { makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'
import { verifyArtifact } from './verify-artifact.ts'

async function exported(t: TestContext): Promise<{ readonly bed: Bed; readonly manifest: string; readonly disk: string }> {
  const bed = await makeBed(t)
  await runExport(bed.input(twoDisks))
  return { bed, manifest: join(bed.output, 'web.manifest.json'), disk: join(bed.output, 'web-disk-2.raw') }
}

test('an artifact that was moved as a whole is still intact', async (t) => {
  const { bed, manifest } = await exported(t)
  const moved = join(bed.root, 'elsewhere')
  await rename(bed.output, moved)
  assert.ok((await verifyArtifact(join(moved, 'web.manifest.json'))).ok)
  await mkdir(bed.output)
  await assert.rejects(verifyArtifact(manifest), { code: 'EXPORT_MANIFEST_INVALID' })
})

test('one changed byte, one byte more and a missing file are told apart', async (t) => {
  const { manifest, disk } = await exported(t)
  const status = async (): Promise<unknown> => {
    const { ok, files } = await verifyArtifact(manifest)
    assert.equal(ok, false)
    return files.map((file) => file.status)
  }
  await using file = await open(disk, 'r+')
  await file.write(Buffer.from([3]), 0, 1, 299_999)
  assert.deepEqual(await status(), ['intact', 'wrong-checksum'])
  await appendFile(disk, 'x')
  assert.deepEqual(await status(), ['intact', 'wrong-size'])
  await rm(disk)
  assert.deepEqual(await status(), ['intact', 'missing'])
})

test('verifying can be cancelled', async (t) => {
  const { manifest } = await exported(t)
  await assert.rejects(verifyArtifact(manifest, AbortSignal.abort()), { name: 'AbortError' })
})

test('what is no manifest is refused with the place that is wrong', async (t) => {
  const { bed, manifest } = await exported(t)
  const good = JSON.parse(await readFile(manifest, 'utf8'))
  const path = join(bed.root, 'bad.json')
  const disks = good.disks as Record<string, unknown>[]
  for (const [bad, reason] of [
    ['{', /JSON/],
    [JSON.stringify({ ...good, manifest_version: '2.0' }), /manifest_version/],
    [JSON.stringify({ ...good, disks: [] }), /disks/],
    [JSON.stringify({ ...good, disks: [disks[0], disks[0]] }), /repeat/],
    [JSON.stringify({ ...good, disks: [{ ...disks[0], checksum: 'sha256:1' }] }), /disks\[0\]\.checksum/],
    [JSON.stringify({ ...good, disks: [{ ...disks[0], id: '../a' }] }), /disks\[0\]\.id/],
  ] as const) {
    await writeFile(path, bad)
    await assert.rejects(readArtifactManifest(path), { code: 'EXPORT_MANIFEST_INVALID', message: reason })
  }
  await assert.rejects(readArtifactManifest(bed.root), { code: 'EXPORT_MANIFEST_INVALID' })
  await assert.rejects(readArtifactManifest('/dev/zero'), { code: 'EXPORT_MANIFEST_INVALID' })
})
