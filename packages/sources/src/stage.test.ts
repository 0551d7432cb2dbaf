import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { FoundPackage } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { bundled } from './bundled.ts'
import { defaultPackageLimits } from './limits.ts'
import { readTree } from './read-tree.ts'
import { lookAtPackage } from './tree-look.ts'

const { signal } = new AbortController()

/** Each happens after the package was looked at and before its files have been read. */
const changes: Readonly<Record<string, (path: string) => void>> = {
  'a file is written to': (path) => writeFileSync(join(path, 'index.js'), 'longer than it was'),
  'a file is added': (path) => writeFileSync(join(path, 'more.js'), ''),
  'a file becomes a link': (path) => {
    renameSync(join(path, 'index.js'), join(path, '..', 'index.js'))
    symlinkSync('../index.js', join(path, 'index.js'))
  },
  'a folder becomes a link to another one': (path) => {
    renameSync(join(path, 'lib'), join(path, '..', 'lib'))
    symlinkSync('/etc', join(path, 'lib'))
  },
  'the package is replaced': (path) => {
    renameSync(path, `${path}-old`)
    execFileSync('cp', ['-r', `${path}-old`, path])
  },
}

for (const [title, change] of Object.entries(changes)) {
  test(`nothing is staged when ${title} meanwhile`, async (t) => {
    const { path, store, found } = await onePackage(t)
    const staging = found.stage(signal)
    change(path)
    await assert.rejects(staging, { code: 'SOURCE_CHANGED' })
    assert.deepEqual(await readdir(store).catch(() => []), [])
  })
}

test('a pipe is refused without being opened', async (t) => {
  const { path, list } = await onePackage(t)
  execFileSync('mkfifo', [join(path, 'pipe')])
  await assert.rejects((await list()).stage(signal), { code: 'SOURCE_UNSAFE_ENTRY', message: /pipe/ })
})

test('a file of another size than was seen is not read', async (t) => {
  const { path } = await onePackage(t)
  const look = lookAtPackage(path, 'folder', { limits: defaultPackageLimits, ignore: [] })
  assert.ok(look)
  const [entry] = look.entries
  assert.ok(entry)
  const wrong = { ...look, entries: [{ ...entry, sizeBytes: entry.sizeBytes + 1 }] }
  await assert.rejects(readTree(wrong, signal), { code: 'SOURCE_CHANGED' })
})

test('node_modules is part of a package, hidden names are not', async (t) => {
  const { path, list } = await onePackage(t)
  await mkdir(join(path, 'node_modules', 'left-pad'), { recursive: true })
  await writeFile(join(path, 'node_modules', 'left-pad', 'index.js'), '')
  await mkdir(join(path, '.git'))
  await writeFile(join(path, '.git', 'config'), 'secret')
  const staged = await (await list()).stage(signal)
  assert.ok(staged.code.kind === 'files')
  const names = await readdir(staged.code.directory, { recursive: true })
  assert.deepEqual(names.sort(), [
    'index.js',
    'lib',
    'lib/a.js',
    'node_modules',
    'node_modules/left-pad',
    'node_modules/left-pad/index.js',
    'plugin.json',
  ])
})

interface OnePackage {
  readonly path: string
  readonly store: string
  readonly found: FoundPackage
  readonly list: () => Promise<FoundPackage>
}

async function onePackage(t: TestContext): Promise<OnePackage> {
  const home = await temporaryDirectory(t)
  const path = join(home, 'package')
  const store = join(home, 'store')
  await mkdir(join(path, 'lib'), { recursive: true })
  await writeFile(join(path, 'plugin.json'), '{"id":"acme/a"}')
  await writeFile(join(path, 'index.js'), '')
  await writeFile(join(path, 'lib', 'a.js'), '')
  const source = bundled([{ directory: path }], { store })
  const list = async (): Promise<FoundPackage> => {
    const [found] = (await source.list(signal)).packages
    assert.ok(found)
    return found
  }
  return { path, store, found: await list(), list }
}
