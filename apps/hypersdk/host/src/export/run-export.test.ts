import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { ExportItem } from '@hypersdk/points'
import * as fc from 'fast-check'
import { readArtifactManifest } from './artifact-manifest.ts'
import type { ExportLogLine, ExportProgress } from './export-input.ts'
import { makeBed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'
import { verifyArtifact } from './verify-artifact.ts'

const MiB = 1_048_576
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A piece of a disk: random bytes, bytes that are zero, or a hole. */
const piece = fc.record({ kind: fc.constantFrom('random', 'zero', 'hole'), length: fc.integer({ min: 1, max: 3 * MiB }) })
const pieces = fc.array(piece, { minLength: 1, maxLength: 8 })

function* itemsOf(
  disk: string,
  parts: readonly { readonly kind: string; readonly bytes: Buffer<ArrayBuffer> }[],
): Generator<ExportItem> {
  let offset = 0
  for (const { kind, bytes } of parts) {
    if (kind === 'hole') yield { kind: 'hole', disk, offset, length: bytes.length }
    else yield { kind: 'bytes', disk, offset, bytes }
    offset += bytes.length
  }
}

for (const compress of [false, true]) {
  test(`what is written${compress ? ' compressed' : ''} is what was sent, and its checksum is of the file`, async (t) => {
    const bed = await makeBed(t)
    let run = 0
    await fc.assert(
      fc.asyncProperty(pieces, fc.boolean(), async (given, sized) => {
        const parts = given.map(({ kind, length }) => ({
          kind,
          bytes: kind === 'random' ? randomBytes(length) : Buffer.alloc(length),
        }))
        const all = Buffer.concat(parts.map(({ bytes }) => bytes))
        const exportVm = async function* (): AsyncGenerator<ExportItem> {
          yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: sized ? all.length : null }
          yield* itemsOf('a', parts)
        }
        const result = await runExport(
          bed.input(exportVm, { exportId: `run-${run++}`, options: { compress, compression_level: 1, overwrite: true } }),
        )
        const file = await readFile(result.output_path)
        assert.equal(result.checksum, sha256(file))
        assert.ok((compress ? gunzipSync(file) : file).equals(all))
        assert.deepEqual([result.size, result.compressed_size], [all.length, file.length])
      }),
      { numRuns: 12 },
    )
    assert.deepEqual(await bed.listing(), ['web.manifest.json', compress ? 'web.raw.gz' : 'web.raw'])
  })
}

test('holes and zeros take no room on the disk', async (t) => {
  const bed = await makeBed(t)
  const result = await runExport(
    bed.input(async function* () {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 40 * MiB }
      yield { kind: 'hole', disk: 'a', offset: 0, length: 20 * MiB }
      yield { kind: 'bytes', disk: 'a', offset: 20 * MiB, bytes: Buffer.concat([Buffer.alloc(100_000), randomBytes(1000)]) }
      yield { kind: 'bytes', disk: 'a', offset: 20 * MiB + 101_000, bytes: Buffer.alloc(10 * MiB - 101_000) }
      yield { kind: 'hole', disk: 'a', offset: 30 * MiB, length: 10 * MiB }
    }),
  )
  const { size, blocks } = await stat(result.output_path)
  assert.equal(size, 40 * MiB)
  assert.ok(blocks * 512 <= 128 * 1024, `${blocks * 512} bytes are allocated`)
})

test('a compressed disk of nothing is a compressed file all the same', async (t) => {
  const bed = await makeBed(t)
  const empty = async function* (): AsyncGenerator<ExportItem> {
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 0 }
  }
  const result = await runExport(bed.input(empty, { options: { compress: true } }))
  assert.equal(gunzipSync(await readFile(result.output_path)).length, 0)
})

test('bytes that the plugin changes after it handed them over do not change the export', async (t) => {
  const bed = await makeBed(t)
  const sent = randomBytes(64 * 1024)
  const result = await runExport(
    bed.input(async function* () {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 16 * sent.length }
      const reused = Buffer.alloc(sent.length)
      for (let index = 0; index < 16; index++) {
        sent.copy(reused)
        yield { kind: 'bytes', disk: 'a', offset: index * sent.length, bytes: reused }
        reused.fill(0xff)
      }
    }),
  )
  assert.ok((await readFile(result.output_path)).equals(Buffer.concat(Array.from({ length: 16 }, () => sent))))
})

test('several disks are files beside one manifest that says which one boots, and what the plugin told', async (t) => {
  const bed = await makeBed(t)
  const requests: unknown[] = []
  const result = await runExport(
    bed.input(
      async function* (request) {
        requests.push(request)
        yield { kind: 'vm', cpu: 2, mem_gb: 4, firmware: 'uefi', os_hint: 'linux', metadata: { uuid: 'u-1', export_id: 'mine' } }
        yield { kind: 'disk', disk: 'data', format: 'raw', size_bytes: 3, boot: false }
        yield { kind: 'disk', disk: 'root', format: 'raw', size_bytes: 4, boot: true, label: 'system', source_format: 'qcow2' }
        yield { kind: 'bytes', disk: 'data', offset: 0, bytes: Buffer.from('abc') }
        yield { kind: 'warning', stage: 'snapshot', message: 'took long' }
        await writeFile(join(request.staging_dir, 'root.img'), 'boot')
        yield { kind: 'file', disk: 'root', path: 'root.img' }
      },
      { vm: { location: 'rack 4' }, options: { metadata: { ticket: 12 }, include_snapshots: true } },
    ),
  )
  const [request] = requests
  assert.partialDeepStrictEqual(request, {
    export_id: 'export-1',
    id: 'vm-7',
    format: 'raw',
    include_snapshots: true,
    metadata: { ticket: 12 },
  })
  assert.deepEqual(await bed.listing(), ['web-disk-2.raw', 'web.manifest.json', 'web.raw'])
  assert.equal(result.output_path, join(bed.output, 'web-disk-2.raw'), 'the main file is the one that boots')
  assert.equal(result.checksum, sha256(Buffer.from('boot')))
  assert.equal(result.size, 7)
  const manifest = await readArtifactManifest(join(bed.output, 'web.manifest.json'))
  assert.partialDeepStrictEqual(manifest, {
    source: { provider: 'memory', vm_id: 'vm-7', vm_name: 'web', datacenter: 'rack 4', export_method: 'staged' },
    vm: { cpu: 2, mem_gb: 4, firmware: 'uefi', os_hint: 'linux' },
    disks: [{ id: 'data', disk_type: 'data', bytes: 3 }, { id: 'root', disk_type: 'boot', boot_order_hint: 0, label: 'system' }],
    warnings: [{ stage: 'snapshot', message: 'took long' }],
    metadata: { uuid: 'u-1', export_id: 'export-1', disks: { root: { stored_as: 'qcow2' } } },
  }) // prettier-ignore
  assert.deepEqual(manifest.options['metadata'], undefined, 'what a user hands to the plugin stays out of the manifest')
  assert.ok((await verifyArtifact(join(bed.output, 'web.manifest.json'))).ok)
  assert.deepEqual(await bed.left(), [], 'the staging directory is gone')
  assert.deepEqual(bed.cleaned, [], 'a good export leaves nothing to clean up')
})

test('of endless warnings the first are kept, each cut to a length', async (t) => {
  const bed = await makeBed(t)
  const result = await runExport(
    bed.input(async function* () {
      yield* abc()
      for (let index = 0; index < 300; index++) yield { kind: 'warning', stage: 's', message: 'm'.repeat(3000) }
    }),
  )
  const { warnings } = await readArtifactManifest(String(result.metadata['manifest']))
  assert.deepEqual([warnings.length, warnings[0]?.message.length], [200, 2000])
})

test('only the owner may read an exported disk', async (t) => {
  const bed = await makeBed(t)
  const result = await runExport(bed.input(abc))
  for (const file of result.files) assert.equal((await stat(file)).mode & 0o077, 0, file)
})

async function* abc(): AsyncGenerator<ExportItem> {
  yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3 }
  yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('abc') }
}

test('progress ends with everything done, and the log names each file', async (t) => {
  const bed = await makeBed(t)
  const reports: ExportProgress[] = []
  const lines: ExportLogLine[] = []
  await runExport(bed.input(abc, { onProgress: (progress) => reports.push(progress), onLog: (line) => lines.push(line) }))
  assert.partialDeepStrictEqual(reports.at(-1), {
    phase: 'completed',
    bytesDone: 3,
    bytesTotal: 3,
    percent: 100,
    filesDone: 1,
    filesTotal: 1,
  })
  assert.equal(reports.filter(({ phase }) => phase === 'completed').length, 1)
  assert.deepEqual(lines.map(({ message }) => message), ['writing web.raw', 'wrote web.raw']) // prettier-ignore
})
