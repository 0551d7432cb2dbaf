import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { fileNames } from './file-names.ts'

const base = (name: string, id = 'vm-7'): string => fileNames({ name, id }, 'job-1', 'raw').base

test('a plain name is kept as it is', () => {
  for (const name of ['web', 'web-1.example', 'Büro_2', '数据库']) assert.equal(base(name), name)
})

test('the first disk has the machine’s name, later ones a number', () => {
  const names = fileNames({ name: 'web', id: '7' }, 'job-1', 'qcow2.gz')
  assert.deepEqual([names.disk(1), names.disk(2), names.manifest], ['web.qcow2.gz', 'web-disk-2.qcow2.gz', 'web.manifest.json'])
  assert.equal(names.partial('web.raw'), 'web.raw.partial-job-1')
})

test('names that had to change stay apart', () => {
  assert.match(base('a/b'), /^a_b-[0-9a-f]{8}$/)
  assert.notEqual(base('a/b'), base('a:b'))
  assert.notEqual(base('../x', '1'), base('../x', '2'))
})

test('no name leads out of the directory, hides, or holds what a path or a shell reads', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('..', '.', '/', '-rf', '\0', '.bashrc', 'a\nb', '~', '$(x)', 'ＣＯＮ', 'x'.repeat(500), '☃'.repeat(200)),
  )
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 64 }), (name, number) => {
      const names = fileNames({ name, id: 'vm-7' }, 'j'.repeat(64), 'qcow2.gz')
      for (const file of [names.disk(number), names.manifest]) {
        assert.match(file, /^[\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}._-]*$/u)
        assert.ok(Buffer.byteLength(names.partial(file)) <= 255)
      }
    }),
  )
})

test('an export id that could be part of a path is refused', () => {
  for (const id of ['', '../x', 'a/b', 'a.b', 'x'.repeat(65), 'ü', 'a\0']) {
    assert.throws(() => fileNames({ name: 'web', id: '7' }, id, 'raw'), { code: 'EXPORT_ID_INVALID' })
  }
})
