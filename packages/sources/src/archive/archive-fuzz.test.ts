import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { PlatformError } from '@backplane/sdk'
import { requireProgram } from '@backplane/testing'
import * as fc from 'fast-check'
import { archiveOracle } from './fixtures/archive-oracle.ts'
import { paxOf, tarOf, type RawTarEntry } from './fixtures/raw-tar.ts'
import { extraOf, zipOf, type RawZipEntry } from './fixtures/raw-zip.ts'
import { pathsIn, stagingGround, type StagingGround } from './fixtures/staging-ground.ts'

const run = promisify(execFile)
/** For long runs by hand. */
const factor = Number(process.env['FUZZ_FACTOR'] ?? 1)

const tarEntries: readonly RawTarEntry[] = [
  { name: 'package/', type: '5', mode: '0000755' },
  { name: 'package/plugin.json', body: '{"id":"acme/a"}' },
  { name: 'package/bin/run', body: '#!/bin/sh\n', mode: '0000755' },
  paxOf({ mtime: '1.5', path: 'package/lib/größe.js' }),
  { name: 'package/lib/gro', body: 'x'.repeat(600) },
  { name: 'last.js', prefix: 'package/lib', magic: 'ustar\u000000' },
  { name: 'package/gnu.js', magic: 'ustar  \0', body: 'gnu' },
]

const zipEntries: readonly RawZipEntry[] = [
  { name: 'package/' },
  { name: 'package/plugin.json', body: '{"id":"acme/a"}', method: 0 },
  { name: 'package/bin/run', body: '#!/bin/sh\n', mode: 0o100755, extra: extraOf(0x7875, '\u0001\u0004\0\0\0\0') },
  { name: 'package/lib/größe.js', body: 'x'.repeat(600), flags: 0x0800, localExtra: extraOf(0x5455, '\u0001\0\0\0\0') },
  { name: 'package/last.js', body: 'last', descriptor: 'signed' },
]

/** Bytes to write over others, at a place anywhere in an archive. */
interface Mutation {
  readonly at: number
  readonly bytes: Uint8Array
  readonly how: 'overwrite' | 'insert' | 'remove'
}

/** Texts that mean something in a header; others would rarely hit it. */
const telling = [
  '\0',
  '/',
  '..',
  '../',
  '/etc',
  '\\',
  '7',
  '0',
  ' ',
  '1',
  '2',
  '5',
  'x',
  'L',
  'ustar  ',
  'PK\u0001\u0002',
  '\u00ff\u00ff',
  '12 path=a\n',
]

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    fc.constantFrom(...telling).map((text) => Buffer.from(text, 'latin1')),
  ),
  how: fc.constantFrom<Mutation['how'][]>(
    'overwrite',
    'overwrite',
    'overwrite',
    'overwrite',
    'overwrite',
    'overwrite',
    'insert',
    'remove',
  ),
})

const mutations = fc.array(mutation, { minLength: 1, maxLength: 2 })

function mutate(bytes: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce((before, { at, bytes: piece, how }) => {
    const offset = Math.floor(at * before.length)
    const after = before.subarray(offset + (how === 'insert' ? 0 : piece.length))
    return Buffer.concat([before.subarray(0, offset), how === 'remove' ? Buffer.alloc(0) : piece, after])
  }, bytes)
}

/** Headers whose sum is wrong are all refused alike, so most mutations come with the right one. */
function mendChecksums(tar: Buffer): Buffer {
  const mended = Buffer.from(tar)
  for (let at = 0; at + 512 <= mended.length; at += 512) {
    const block = mended.subarray(at, at + 512)
    if (block.toString('latin1', 257, 262) !== 'ustar') continue
    block.fill(' ', 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  }
  return mended
}

const tar = tarOf(tarEntries)
const zip = zipOf(zipEntries)

/** Both headers of an entry changed alike, which is what gets past the comparison of the two. */
const alike: fc.Arbitrary<Buffer> = fc
  .record({
    index: fc.nat({ max: zipEntries.length - 1 }),
    at: fc.nat({ max: 19 }),
    value: fc.oneof(fc.constantFrom(0, 1, 2, 6, 8, 0x80), fc.nat({ max: 255 })),
    attributes: fc.option(fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 255 })), { nil: undefined }),
  })
  .map(({ index, at, value, attributes }) => {
    const changed = (entry: RawZipEntry): RawZipEntry => ({
      ...entry,
      patchLocal: (header) => void header.writeUInt8(value, 6 + at),
      patchCentral: (header) => {
        header.writeUInt8(value, 8 + at)
        if (attributes !== undefined) header.writeUInt8(attributes[1], 36 + attributes[0])
      },
    })
    return zipOf(zipEntries.map((entry, each) => (each === index ? changed(entry) : entry)))
  })

const names = fc.array(nameOf(), { minLength: 1, maxLength: 3 })

/** What is mutated, how often, the mutants, and who else says what files are in them. */
type Subject = readonly [what: string, runs: number, archives: fc.Arbitrary<Buffer>, lister: readonly string[]]

const inTar = ['tar', '--numeric-owner', '-tvzf']
const inZip = ['unzip', '-Z1']

const subjects: readonly Subject[] = [
  ['tar', 1, fc.constant(gzipSync(tar)), inTar],
  ['zip', 1, fc.constant(zip), inZip],
  ['mutated tar', 120, mutations.map((changes) => gzipSync(mendChecksums(mutate(tar, changes)))), inTar],
  ['mutated tar with its checksums as they fall', 40, mutations.map((changes) => gzipSync(mutate(tar, changes))), inTar],
  ['tar mutated when compressed', 60, mutations.map((changes) => mutate(gzipSync(tar), changes)), inTar],
  ['tar with other names', 60, names.map((each) => gzipSync(tarOf(each.map((name) => ({ name }))))), inTar],
  ['mutated zip', 120, mutations.map((changes) => mutate(zip, changes)), inZip],
  ['mutated zip whose headers agree', 100, alike, inZip],
  ['zip with other names', 60, names.map((each) => zipOf(each.map((name) => ({ name, flags: 0x0800 })))), inZip],
]

for (const [what, runs, archives, [program = '', ...args]] of subjects) {
  test(`of a ${what} is staged what others find in it too${runs === 1 ? '' : ', or it is refused'}`, async (t) => {
    const ask = archiveOracle(t)
    if (ask === undefined || !requireProgram(t, 'tar', 'tar') || !requireProgram(t, 'unzip', 'unzip')) return
    const ground = await stagingGround(t)
    const path = join(ground.parent, '..', '..', 'subject')
    await writeFile(path, '')
    const before = withoutSubject(ground)
    let taken = 0
    const property = fc.asyncProperty(archives, async (bytes) => {
      await writeFile(path, bytes)
      const found = await contentsOf(ground, path)
      assert.deepEqual(withoutSubject(ground), before)
      if (found === undefined) return
      taken += 1
      assert.deepEqual(await ask(path), { files: found })
      const list = await listed(program, [...args, path])
      assert.deepEqual(list.sort(), Object.keys(found).sort())
    })
    await fc.assert(property, { numRuns: runs * factor })
    assert.ok(taken > 0 || runs > 1)
    t.diagnostic(`${taken} of ${runs * factor} taken`)
  })
}

interface Content {
  readonly sha256: string
  readonly executable: boolean
}

/** What is in an archive, by path, once it was staged as it says; undefined when it is refused. */
async function contentsOf(ground: StagingGround, path: string): Promise<Readonly<Record<string, Content>> | undefined> {
  try {
    await using staged = await ground.stage(path)
    const lines = pathsIn(staged.directory).filter((line) => / 100(?:644|755) \d+$/.test(line))
    const expected = staged.files.map((file) => `${file.path} ${file.executable ? '100755' : '100644'} ${file.sizeBytes}`)
    assert.deepEqual(lines.sort(), expected.sort())
    const all = [...staged.files, ...staged.hidden]
    return Object.fromEntries(all.map(({ path: name, sha256, executable }) => [name, { sha256, executable }]))
  } catch (error) {
    if (!(error instanceof PlatformError && error.code.startsWith('ARCHIVE_'))) throw error
    return undefined
  }
}

/** Names of files as a program lists them. */
async function listed(program: string, args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(program, [...args], { env: { LC_ALL: 'C.UTF-8', TAR_OPTIONS: '--quoting-style=literal' } })
  const lines = stdout.split('\n')
  // Of tar's lines, the first letter tells a directory: in the archive its name needs no slash.
  const found = program === 'tar' ? lines.flatMap((line) => /^[^d]\S+ \S+ +\S+ \S+ \S+ (.*)$/.exec(line)?.[1] ?? []) : lines
  return found.filter((name) => name !== '' && !name.endsWith('/'))
}

function withoutSubject({ look }: StagingGround): readonly string[] {
  return look().filter((line) => !line.startsWith('subject '))
}

/** Names out of the parts that decide what a name is. */
function nameOf(): fc.Arbitrary<string> {
  const part = fc.constantFrom(
    'a',
    'A',
    'b',
    '..',
    '.',
    '',
    'lib',
    'Lib',
    'é',
    'e\u0301',
    'nul',
    'a.',
    'x:y',
    ' a',
    'ß',
    'SS',
    '-a',
    '~',
  )
  return fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
}
