import assert from 'node:assert/strict'
import test from 'node:test'
import type { ExportItem } from '@hypersdk/points'
import type { ExportLimits } from './export-input.ts'
import { makeBed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'

const disk = (size_bytes: number | null, id = 'a'): ExportItem => ({ kind: 'disk', disk: id, format: 'raw', size_bytes })
const bytes = (offset: number, length: number, id = 'a'): ExportItem => ({
  kind: 'bytes',
  disk: id,
  offset,
  bytes: new Uint8Array(length).fill(1),
})
const hole = (offset: number, length: number, id = 'a'): ExportItem => ({ kind: 'hole', disk: id, offset, length })
const file = (path: string, id = 'a'): ExportItem => ({ kind: 'file', disk: id, path })
const warning: ExportItem = { kind: 'warning', stage: 's', message: 'm' }

const cases: readonly (readonly [string, readonly ExportItem[], string, Partial<ExportLimits>?])[] = [
  ['no item at all', [], 'EXPORT_NO_DISKS'],
  ['only a warning', [warning], 'EXPORT_NO_DISKS'],
  ['bytes of a disk that was not declared', [bytes(0, 1)], 'EXPORT_UNKNOWN_DISK'],
  ['a hole in a disk that was not declared', [disk(1), hole(0, 1, 'b')], 'EXPORT_UNKNOWN_DISK'],
  ['a file of a disk that was not declared', [file('x')], 'EXPORT_UNKNOWN_DISK'],
  ['a disk declared twice', [disk(1), disk(1)], 'EXPORT_DISK_REPEATED'],
  ['bytes twice', [disk(4), bytes(0, 2), bytes(0, 2)], 'EXPORT_OUT_OF_ORDER'],
  ['overlapping bytes', [disk(4), bytes(0, 2), bytes(1, 2)], 'EXPORT_OUT_OF_ORDER'],
  ['descending bytes', [disk(4), bytes(2, 2), bytes(0, 2)], 'EXPORT_OUT_OF_ORDER'],
  ['a gap', [disk(4), bytes(0, 1), bytes(2, 2)], 'EXPORT_OUT_OF_ORDER'],
  ['a hole over bytes', [disk(4), bytes(0, 2), hole(1, 3)], 'EXPORT_OUT_OF_ORDER'],
  ['bytes beyond the size', [disk(4), bytes(0, 5)], 'EXPORT_TOO_MUCH'],
  ['a hole beyond the size', [disk(4), bytes(0, 2), hole(2, Number.MAX_SAFE_INTEGER)], 'EXPORT_TOO_MUCH'],
  ['bytes after the end', [disk(4), bytes(0, 4), bytes(4, 1)], 'EXPORT_TOO_MUCH'],
  ['empty bytes after the end', [disk(4), bytes(0, 4), bytes(4, 0)], 'EXPORT_DISK_REPEATED'],
  ['a disk that is not finished', [disk(4), bytes(0, 3)], 'EXPORT_INCOMPLETE'],
  ['a disk that never came', [disk(4), disk(0, 'b')], 'EXPORT_INCOMPLETE'],
  ['a disk of unknown size that never came', [disk(null)], 'EXPORT_INCOMPLETE'],
  ['the next disk before the end of one', [disk(4), disk(4, 'b'), bytes(0, 2), bytes(0, 4, 'b')], 'EXPORT_INCOMPLETE'],
  ['going back to a disk', [disk(null), disk(4, 'b'), bytes(0, 2), bytes(0, 4, 'b'), bytes(2, 2)], 'EXPORT_DISK_REPEATED'],
  ['a file after bytes', [disk(4), bytes(0, 2), file('x')], 'EXPORT_DISK_REPEATED'],
  ['a file after all bytes', [disk(2), bytes(0, 2), file('x')], 'EXPORT_DISK_REPEATED'],
  ['another format', [{ ...disk(1), kind: 'disk', format: 'qcow2', disk: 'a', size_bytes: 1 }], 'EXPORT_FORMAT_MISMATCH'],
  ['too many disks', [disk(0), disk(0, 'b'), disk(0, 'c')], 'EXPORT_LIMIT_EXCEEDED', { disks: 2 }],
  ['a disk too large', [disk(100)], 'EXPORT_LIMIT_EXCEEDED', { diskBytes: 99 }],
  ['a disk growing too large', [disk(null), bytes(0, 60), hole(60, 40)], 'EXPORT_LIMIT_EXCEEDED', { diskBytes: 99 }],
  ['the largest hole there is', [disk(null), hole(0, Number.MAX_SAFE_INTEGER)], 'EXPORT_LIMIT_EXCEEDED'],
  ['endless warnings', [disk(1), warning, warning, bytes(0, 1), warning], 'EXPORT_LIMIT_EXCEEDED', { notes: 2 }],
  ['endless empty bytes', [disk(1), bytes(0, 0), bytes(0, 0), bytes(0, 0)], 'EXPORT_LIMIT_EXCEEDED', { notes: 2 }],
  ['an endless description', [disk(1), { kind: 'vm', metadata: { x: 'y'.repeat(2_000_000) } }], 'EXPORT_LIMIT_EXCEEDED'],
]

for (const [title, items, code, limits] of cases) {
  test(`an export is refused and leaves nothing: ${title}`, async (t) => {
    const bed = await makeBed(t)
    const exportVm = async function* (): AsyncGenerator<ExportItem> {
      yield* items
    }
    const input = bed.input(exportVm, { limits: limits ?? {} })
    await assert.rejects(runExport(input), { name: 'PlatformError', code, plugin: 'test/memory', point: 'hypersdk.provider' })
    assert.deepEqual([await bed.listing(), await bed.left(), bed.cleaned], [[], [], ['export-1']])
  })
}

test('every disk may be declared first, and a disk may have no bytes', async (t) => {
  const bed = await makeBed(t)
  const items = [disk(2), disk(0, 'b'), disk(null, 'c'), bytes(0, 2), hole(0, 3, 'c'), bytes(3, 0, 'c')]
  const result = await runExport(
    bed.input(async function* () {
      yield* items
    }),
  )
  assert.equal(result.size, 5)
  assert.deepEqual(await bed.listing(), ['web-disk-2.raw', 'web-disk-3.raw', 'web.manifest.json', 'web.raw'])
})
