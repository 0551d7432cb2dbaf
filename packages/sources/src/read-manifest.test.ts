import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { defaultPackageLimits } from './limits.ts'
import { readManifest } from './read-manifest.ts'

test('a manifest that breaks a rule of JSON names file, line and column', async (t) => {
  const path = join(await temporaryDirectory(t), 'plugin.json')
  await writeFile(path, '{\n  "id": "acme/x",\n  "id": "acme/y"\n}')
  const reading = readManifest(path, defaultPackageLimits)
  assert.equal(reading.kind, 'problem')
  assert.equal(reading.error.code, 'SOURCE_MANIFEST_INVALID')
  assert.equal(reading.error.message, `${path}:3:3: the key "id" appears twice in one object`)
})

test('bytes that are not UTF-8 are refused, not replaced', async (t) => {
  const path = join(await temporaryDirectory(t), 'plugin.json')
  await writeFile(path, Buffer.from([0x22, 0xff, 0x22]))
  const reading = readManifest(path, defaultPackageLimits)
  assert.equal(reading.kind, 'problem')
  assert.match(reading.error.message, /not UTF-8/)
})

test('a manifest beyond its limit is not read', async (t) => {
  const path = join(await temporaryDirectory(t), 'plugin.json')
  await writeFile(path, JSON.stringify({ description: 'x'.repeat(1024) }))
  const reading = readManifest(path, { ...defaultPackageLimits, manifestBytes: 1024 })
  assert.equal(reading.kind, 'problem')
  assert.equal(reading.error.code, 'SOURCE_TOO_LARGE')
})

test('a manifest that is a link, a folder or a pipe is refused without waiting', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'target.json'), '{}')
  await symlink('target.json', join(directory, 'link.json'))
  await mkdir(join(directory, 'folder.json'))
  execFileSync('mkfifo', [join(directory, 'pipe.json')])
  for (const name of ['link.json', 'folder.json', 'pipe.json']) {
    const reading = readManifest(join(directory, name), defaultPackageLimits)
    assert.equal(reading.kind, 'problem')
    assert.equal(reading.error.code, 'SOURCE_UNREADABLE')
  }
})
