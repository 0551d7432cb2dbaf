import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import * as fc from 'fast-check'
import { directory } from '../directory.ts'
import { manifestOf } from '../fixtures/package-folder.ts'
import { defaultPackageLimits } from '../limits.ts'
import { readTree } from '../read-tree.ts'
import { lookAtPackage } from '../tree-look.ts'
import { archiveTree } from './archive-tree.ts'
import { stagingGround } from './fixtures/staging-ground.ts'
import { readArchive } from './read-archive.ts'

const run = promisify(execFile)
const { signal } = new AbortController()

const files: Readonly<Record<string, string>> = {
  'plugin.json': JSON.stringify(manifestOf('a')),
  'package.json': '{"name":"@acme/a","version":"1.0.0"}',
  'index.js': 'export default {}\n',
  'bin/run': '#!/bin/sh\n',
  '.hidden': 'no part of a package',
  'lib/.hidden/a.js': 'nor is this',
  'lib/größe 漢字.js': 'x'.repeat(5_000),
  'lib/empty.js': '',
  [`node_modules/${'long-name-'.repeat(8)}/${'folder-'.repeat(10)}/index.js`]: 'long',
}

/** Info-ZIP does not say of other names that they are UTF-8. */
const asciiFiles = Object.fromEntries(Object.entries(files).filter(([path]) => /^[\x20-\x7e]*$/.test(path)))

/** What packs a folder, with the Debian package it is in. */
const packers: readonly (readonly [what: string, program: string, debianPackage: string, args: readonly string[]])[] = [
  ['tar as POSIX first had it', 'tar', 'tar', ['--format=ustar', '-czf', 'out', 'package']],
  ['tar with pax records', 'tar', 'tar', ['--format=pax', '-czf', 'out', 'package']],
  [
    'tar for reproducible builds',
    'tar',
    'tar',
    ['--format=ustar', '--sort=name', '--mtime=@0', '-I', 'gzip -9n', '-cf', 'out', 'package'],
  ],
  [
    'tarfile of Python',
    'python3',
    'python3',
    ['-c', 'import tarfile\nwith tarfile.open("out", "w:gz") as out: out.add("package")'],
  ],
  ['zipfile of Python', 'python3', 'python3', ['-m', 'zipfile', '-c', 'out', 'package']],
  ['zip', 'zip', 'zip', ['-qr', 'out.zip', 'package']],
  ['zip without compression', 'zip', 'zip', ['-qrX0', 'out.zip', 'package']],
]

for (const [what, program, debianPackage, args] of packers) {
  test(`what ${what} packs is staged as the folder itself would be`, async (t) => {
    if (!requireProgram(t, program, debianPackage)) return
    const home = await temporaryDirectory(t)
    await writePackage(join(home, 'package'), program === 'zip' ? asciiFiles : files)
    await run(program, [...args], { cwd: home, env: { LC_ALL: 'C.UTF-8' } })
    const archive = await readArchive(join(home, program === 'zip' ? 'out.zip' : 'out'), {}, signal)
    assert.equal(archiveTree(archive, 'strip').digest, await digestBySource(home))
  })
}

test('a package of npm is staged with its digest', async (t) => {
  const { parent, stage } = await stagingGround(t)
  const home = join(parent, '..')
  const { [Object.keys(files).at(-1) ?? '']: _, ...packed } = files
  await writePackage(join(home, 'package'), {
    ...packed,
    [`lib/${'long-'.repeat(30)}.js`]: 'long',
    [`${'folder-'.repeat(8)}/${'folder-'.repeat(10)}/a.js`]: '',
  })
  await run('npm', ['pack', '--ignore-scripts', '--offline', '--pack-destination', home], { cwd: join(home, 'package') })
  await using staged = await stage(join(home, 'acme-a-1.0.0.tgz'), {}, 'strip')
  assert.equal(staged.digest, await digestBySource(home))
  assert.equal(await digestOnDisk(staged.directory), staged.digest)
  assert.equal(await readFile(join(staged.directory, 'index.js'), 'utf8'), files['index.js'])
})

test('whatever is in a folder, packed it has the digest it has as a folder', async (t) => {
  if (!requireProgram(t, 'tar', 'tar') || !requireProgram(t, 'python3', 'python3')) return
  const { parent, stage } = await stagingGround(t)
  const home = join(parent, '..')
  const name = fc.stringMatching(/^[.]?[a-z0-9_é漢-][a-z0-9_ é漢-]{0,7}[a-z0-9]$/)
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  const content = fc.oneof(fc.string({ maxLength: 600 }), fc.constant(''), fc.constant('x'.repeat(70_000)))
  const folders = fc.dictionary(
    path.map((each) => `d/${each}`),
    content,
    { maxKeys: 6, noNullPrototype: true },
  )
  const property = fc.asyncProperty(folders, async (some) => {
    await rm(join(home, 'package'), { recursive: true, force: true })
    const written = await writePackage(join(home, 'package'), { 'plugin.json': files['plugin.json'] ?? '', 'index.js': '', ...some }).then(() => true, () => false)
    fc.pre(written)
    await rm(join(home, 'out.zip'), { force: true })
    await run('tar', ['--format=pax', '-czf', 'out.tgz', 'package'], { cwd: home })
    await run('python3', ['-m', 'zipfile', '-c', 'out.zip', 'package'], { cwd: home })
    const expected = await digestBySource(home)
    for (const archive of ['out.tgz', 'out.zip']) {
      await using staged = await stage(join(home, archive), {}, 'strip')
      assert.equal(staged.digest, expected)
      assert.equal(await digestOnDisk(staged.directory), expected)
    }
  }) // prettier-ignore
  await fc.assert(property, { numRuns: 8 })
})

test('what GNU tar makes of a long name by itself is refused with the option that helps', async (t) => {
  if (!requireProgram(t, 'tar', 'tar')) return
  const home = await temporaryDirectory(t)
  await writePackage(join(home, 'package'), files)
  await run('tar', ['--format=gnu', '-czf', 'out', 'package'], { cwd: home })
  await assert.rejects(readArchive(join(home, 'out'), {}, signal), { code: 'ARCHIVE_EXTENSION', hint: /--format=pax/ })
})

test('what git packs of a tree is taken; of a commit it has more to say, which is refused', async (t) => {
  if (!requireProgram(t, 'git', 'git')) return
  const home = await temporaryDirectory(t)
  await writePackage(join(home, 'package'), files)
  const git = (...args: readonly string[]): Promise<unknown> => {
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
    return run('git', [...who, ...args], { cwd: join(home, 'package'), env: { GIT_CONFIG_NOSYSTEM: '1', HOME: home } })
  }
  await git('init', '--quiet')
  await git('add', '.')
  await git('commit', '--quiet', '-m', 'first')
  for (const format of ['tar.gz', 'zip']) {
    await git('archive', `--format=${format}`, '--prefix=package/', '-o', join(home, 'tree'), 'HEAD^{tree}')
    await git('archive', `--format=${format}`, '--prefix=package/', '-o', join(home, 'commit'), 'HEAD')
    const archive = await readArchive(join(home, 'tree'), {}, signal)
    assert.equal(archiveTree(archive, 'strip').digest, await digestBySource(home))
    await assert.rejects(readArchive(join(home, 'commit'), {}, signal), { code: 'ARCHIVE_EXTENSION' })
  }
}) // prettier-ignore

test('what a link was packed of is refused by every format', async (t) => {
  if (!requireProgram(t, 'zip', 'zip') || !requireProgram(t, 'tar', 'tar')) return
  const home = await temporaryDirectory(t)
  await writePackage(join(home, 'package'), { 'index.js': '' })
  await symlink('/etc/passwd', join(home, 'package', 'link'))
  await run('tar', ['-czf', 'out.tgz', 'package'], { cwd: home })
  await run('zip', ['-qry', 'out.zip', 'package'], { cwd: home })
  for (const name of ['out.tgz', 'out.zip']) {
    await assert.rejects(readArchive(join(home, name), {}, signal), {
      code: 'ARCHIVE_LINK',
      details: { entry: '"package/link"' },
    })
  }
})

test('a name that a zip does not say is UTF-8 could be any other, and is refused', async (t) => {
  if (!requireProgram(t, 'zip', 'zip')) return
  const home = await temporaryDirectory(t)
  await writePackage(join(home, 'package'), { 'größe.js': '' })
  await run('zip', ['-qr', 'out.zip', 'package'], { cwd: home, env: { LC_ALL: 'C.UTF-8' } })
  await assert.rejects(readArchive(join(home, 'out.zip'), {}, signal), { code: 'ARCHIVE_PATH_ENCODING' })
})

test('an encrypted zip is refused', async (t) => {
  if (!requireProgram(t, 'zip', 'zip')) return
  const home = await temporaryDirectory(t)
  await writePackage(join(home, 'package'), { 'index.js': 'secret' })
  await run('zip', ['-qr', '-P', 'secret', 'out.zip', 'package'], { cwd: home })
  await assert.rejects(readArchive(join(home, 'out.zip'), {}, signal), { code: 'ARCHIVE_ENCRYPTED' })
})

async function writePackage(root: string, texts: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text, { mode: 0o644, flag: 'wx' })
  }
  if (texts['bin/run'] !== undefined) await chmod(join(root, 'bin/run'), 0o755)
}

/** What the directory source calls the package in `home/package`. */
async function digestBySource(home: string): Promise<string | undefined> {
  const root = await temporaryPlugins(home)
  const source = directory(root, { store: join(home, '.store'), settleMs: 0 })
  const [found] = (await source.list(signal)).packages
  return (await found?.stage(signal))?.digest
}

/** A plugin directory with nothing but the package in it. */
async function temporaryPlugins(home: string): Promise<string> {
  const root = join(home, '.plugins')
  await rm(root, { recursive: true, force: true })
  await cp(join(home, 'package'), join(root, 'package'), { recursive: true })
  return root
}

async function digestOnDisk(path: string): Promise<string> {
  const look = lookAtPackage(path, 'folder', { limits: defaultPackageLimits, ignore: [] })
  assert.ok(look)
  return (await readTree(look, signal)).digest
}
