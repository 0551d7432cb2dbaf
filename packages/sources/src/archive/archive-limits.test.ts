import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { temporaryDirectory } from '@backplane/testing'
import { defaultArchiveLimits, type ArchiveLimits } from './archive-limits.ts'
import type { ArchiveErrorCode } from './errors.ts'
import { endBlocks, paxOf, tgzOf, type RawTarEntry } from './fixtures/raw-tar.ts'
import { extraOf, zipOf, type RawZipEntry } from './fixtures/raw-zip.ts'
import { readArchive } from './read-archive.ts'

const { signal } = new AbortController()
const zeros = (size: number): Buffer => Buffer.alloc(size)

interface LimitTest {
  readonly limit: Partial<ArchiveLimits>
  readonly code: ArchiveErrorCode
  readonly fits: readonly (RawTarEntry & RawZipEntry)[]
  readonly exceeds: readonly (RawTarEntry & RawZipEntry)[]
}

const files = (...names: readonly string[]): readonly { readonly name: string; readonly body: string }[] => {
  return names.map((name) => ({ name, body: 'x' }))
}

/** What holds for any archive. */
const limitTests: readonly LimitTest[] = [
  { limit: { files: 2 }, code: 'ARCHIVE_TOO_MANY_FILES', fits: files('a', 'b'), exceeds: files('a', 'b', 'c') },
  { limit: { folders: 2 }, code: 'ARCHIVE_TOO_MANY_FOLDERS', fits: files('a/b/c'), exceeds: files('a/b/c', 'd/e') },
  { limit: { depth: 2 }, code: 'ARCHIVE_PATH_TOO_DEEP', fits: files('a/b/c'), exceeds: files('a/b/c/d') },
  { limit: { nameBytes: 4 }, code: 'ARCHIVE_PATH_TOO_LONG', fits: files('aaaa/bbbb'), exceeds: files('aaaaa/b') },
  { limit: { pathBytes: 9 }, code: 'ARCHIVE_PATH_TOO_LONG', fits: files('aaaa/bbbb'), exceeds: files('aaaaa/bbbb') },
  {
    limit: { fileBytes: 600 },
    code: 'ARCHIVE_FILE_TOO_LARGE',
    fits: [{ name: 'a', body: zeros(600) }],
    exceeds: [{ name: 'a', body: zeros(601) }],
  },
  {
    limit: { totalBytes: 600 },
    code: 'ARCHIVE_CONTENTS_TOO_LARGE',
    fits: [...files('b'), { name: 'a', body: zeros(599) }],
    exceeds: [...files('b'), { name: 'a', body: zeros(600) }],
  },
]

for (const { limit, code, fits, exceeds } of limitTests) {
  const [name = ''] = Object.keys(limit)
  for (const archiveOf of [tgzOf, zipOf]) {
    test(`a ${archiveOf === tgzOf ? 'tar' : 'zip'} with more than the limit ${name} is refused`, async () => {
      await readArchive(archiveOf(fits), limit, signal)
      await assert.rejects(readArchive(archiveOf(exceeds), limit, signal), { code })
    })
  }
}

test('a folder that is named counts as one that is only part of a path does, in number and depth', async () => {
  const entries = [{ name: 'a/', type: '5' }, { name: 'a/b/', type: '5' }, ...files('a/b/c')]
  await readArchive(tgzOf(entries), { folders: 2, depth: 2 }, signal)
  await assert.rejects(readArchive(tgzOf(entries), { folders: 1 }, signal), { code: 'ARCHIVE_TOO_MANY_FOLDERS' })
  await assert.rejects(readArchive(tgzOf(entries), { depth: 1 }, signal), { code: 'ARCHIVE_PATH_TOO_DEEP' })
})

test('an archive of more bytes than the limit is not looked into, nor read when it is a file', async (t) => {
  const bytes = tgzOf(files('a'))
  const path = join(await temporaryDirectory(t), 'a.tgz')
  await writeFile(path, bytes)
  const code = 'ARCHIVE_TOO_LARGE'
  for (const source of [bytes, path]) {
    await readArchive(source, { archiveBytes: bytes.length }, signal)
    await assert.rejects(readArchive(source, { archiveBytes: bytes.length - 1 }, signal), { code, hint: /archiveBytes/ })
  }
})

test('what unpacks to many times its size is refused, but for what is small anyway', async () => {
  for (const bytes of [tgzOf([{ name: 'a', body: zeros(60_000) }]), zipOf([{ name: 'a', body: zeros(60_000) }])]) {
    const ratio = Math.floor(60_000 / bytes.length)
    await readArchive(bytes, { ratio: ratio * 2, ratioFromBytes: 0 }, signal)
    await readArchive(bytes, { ratio: 2, ratioFromBytes: 65_000 }, signal)
    await assert.rejects(readArchive(bytes, { ratio: ratio / 2, ratioFromBytes: 0 }, signal), { code: 'ARCHIVE_RATIO' })
  }
})

test('what follows the last entry may be filled up with zeros, within a limit', async () => {
  const padded = (size: number): Buffer => tgzOf(files('a'), zeros(size))
  await readArchive(padded(20 * 512), {}, signal)
  await readArchive(padded(4_096), { paddingBytes: 4_096 }, signal)
  await assert.rejects(readArchive(padded(4_608), { paddingBytes: 4_096 }, signal), { code: 'ARCHIVE_PADDING_TOO_LARGE' })
})

test('headers beside the first are limited', async () => {
  const tar = tgzOf([paxOf({ uname: 'a'.repeat(88) }), ...files('a')])
  const zip = zipOf([{ name: 'a', extra: extraOf(0x5455, zeros(94)) }])
  for (const bytes of [tar, zip]) {
    await readArchive(bytes, { headerBytes: 98 }, signal)
    await assert.rejects(readArchive(bytes, { headerBytes: 97 }, signal), { code: 'ARCHIVE_HEADER_TOO_LARGE' })
  }
})

test('bombs stop at the limits that hold by default', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ name: `f${index}`, method: 0 }))
  const long = { name: 'a', body: zeros(defaultArchiveLimits.fileBytes) }
  const endless = gzipSync(Buffer.concat([endBlocks, zeros(30_000_000)]), { level: 9 })
  const bombs = [
    [tgzOf(many), 'ARCHIVE_TOO_MANY_FILES'],
    [zipOf(many), 'ARCHIVE_TOO_MANY_FILES'],
    [tgzOf([long]), 'ARCHIVE_RATIO'],
    [zipOf([long]), 'ARCHIVE_RATIO'],
    [endless, 'ARCHIVE_PADDING_TOO_LARGE'],
    [tgzOf([{ ...long, body: zeros(defaultArchiveLimits.fileBytes + 1) }]), 'ARCHIVE_FILE_TOO_LARGE'],
  ] as const
  for (const [bytes, code] of bombs) await assert.rejects(readArchive(bytes, {}, signal), { code })
})
