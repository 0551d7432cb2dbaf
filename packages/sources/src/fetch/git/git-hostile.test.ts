import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { access, chmod, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hash } from 'node:crypto'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import type { FetchedPackage } from '../fetcher.ts'
import { repositoryOnDisk, type RepositoryOnDisk } from './fixtures/git-repository-on-disk.ts'
import { gitFetcher } from './git-fetcher.ts'
import type { GitLimits } from './git-limits.ts'

const { signal } = new AbortController()

interface Ground {
  readonly at: RepositoryOnDisk
  /** Where git works; empty when nothing was left behind. */
  readonly temporary: string
  readonly take: (limits?: Partial<GitLimits>, reference?: string) => Promise<FetchedPackage>
}

async function ground(t: TestContext): Promise<Ground | undefined> {
  if (!requireProgram(t, 'git', 'git')) return undefined
  const at = await repositoryOnDisk(t)
  const temporary = await temporaryDirectory(t)
  const take: Ground['take'] = async (limits = {}, reference = `git:${at.url}`) => {
    const fetcher = gitFetcher({ folders: [at.root], limits, temporary })
    try {
      const [found] = await fetcher.versions(reference, { signal })
      assert.ok(found !== undefined)
      return await fetcher.fetch(found.place, { signal })
    } finally {
      assert.deepEqual(await readdir(temporary), [])
    }
  }
  return { at, temporary, take }
}

test('a link, a submodule and a pointer of LFS are refused by name', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const object = await at.git('rev-parse', 'HEAD:index.js')
  const cases = [
    [`120000,${object},out`, /"out" is a symbolic link/],
    [`160000,${'a'.repeat(40)},vendor/lib`, /"vendor\/lib" is a submodule/],
  ] as const
  for (const [entry, message] of cases) {
    await at.git('update-index', '--add', '--cacheinfo', entry)
    await at.git('commit', '--quiet', '--message', 'Entry')
    await at.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/main')
    await assert.rejects(take(), { code: 'SOURCE_UNSAFE_ENTRY', message })
    await at.git('reset', '--quiet', '--hard', 'HEAD~1')
  }
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`
  await at.commit({ 'native.node': pointer })
  await assert.rejects(take(), { code: 'SOURCE_UNSAFE_ENTRY', message: /"native\.node" is a pointer of Git LFS/ })
})

test('attributes, filters and hooks change nothing and run nothing', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  const marker = join(at.root, 'ran')
  const bytes = Buffer.from('one\r\ntwo\n$Id$ $Format:%H$\n\xff', 'latin1')
  await at.release('1.0.0')
  await at.commit({ 'secret.js': 'not left out' })
  await at.write({
    '.gitattributes': '*.txt text eol=crlf ident export-subst filter=run working-tree-encoding=UTF-16\nsecret.js export-ignore\n',
    '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch ${marker}"\n`,
    '.lfsconfig': '[lfs]\n\turl = https://evil.example\n',
    'a.txt': bytes,
  })
  const object = await at.git('hash-object', '-w', '--no-filters', 'a.txt')
  const bare = join(at.root, 'acme', 's3.git')
  for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'pre-auto-gc', 'fsmonitor-watchman']) {
    await at.write({ [join('..', 'acme', 's3.git', 'hooks', hook)]: `#!/bin/sh\ntouch ${marker}\n` })
  }
  await at.git('-C', bare, 'config', 'filter.run.smudge', `touch ${marker}; cat`)
  await at.git('-C', bare, 'config', 'uploadpack.packObjectsHook', `touch ${marker}`)
  await at.git('-C', bare, 'config', 'core.fsmonitor', `touch ${marker}`)
  await at.git('add', '.gitattributes', '.gitmodules', '.lfsconfig')
  await at.git('update-index', '--add', '--cacheinfo', `100755,${object},a.txt`)
  await at.git('commit', '--quiet', '--message', 'Bytes')
  await at.git('push', '--quiet', '--force', 'origin', 'HEAD:refs/heads/main')
  const { tree } = await take()
  assert.deepEqual(
    tree.files.map(({ path, executable }) => `${path}${executable ? '*' : ''}`),
    ['a.txt*', 'index.js', 'plugin.json', 'secret.js'],
  )
  for (const { path, bytes: read } of tree.files) {
    const name = hash('sha1', Buffer.concat([Buffer.from(`blob ${read.length}\0`), read]))
    assert.equal(name, await at.git('rev-parse', `HEAD:${path}`), path)
  }
  assert.deepEqual(Buffer.from(tree.files[0]?.bytes ?? []), bytes)
  await assert.rejects(access(marker))
})

test('settings of the machine have no part in it', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const kept = { ...process.env }
  t.after(() => {
    process.env = kept
  })
  Object.assign(process.env, {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `url.file:///nonexistent/.insteadOf`,
    GIT_CONFIG_VALUE_0: 'file://',
    GIT_DIR: '/nonexistent',
    GIT_SSH_COMMAND: 'touch',
    GIT_ALTERNATE_OBJECT_DIRECTORIES: '/nonexistent',
    GIT_EXEC_PATH: '/nonexistent',
  })
  assert.equal((await take()).tree.files.length, 2)
})

test('names that are no names on every system are refused, also when they are hidden', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const cases = [
    ['con.js', 'ARCHIVE_PATH_RESERVED'],
    ['.x/a\\b.js', 'ARCHIVE_PATH_BACKSLASH'],
    ['a\nb.js', 'ARCHIVE_PATH_CONTROL'],
    ['INDEX.js', 'ARCHIVE_TWIN'],
    ['e\u0301.js', 'ARCHIVE_PATH_NOT_NFC'],
  ] as const
  for (const [path, code] of cases) {
    await at.commit({ [path]: '' })
    await assert.rejects(take(), { code }, path)
    await at.git('reset', '--quiet', '--hard', 'HEAD~1')
  }
})

test('a name that is not UTF-8 is refused', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const object = await at.git('rev-parse', 'HEAD:index.js')
  const made = await withInput(join(at.root, 'work'), ['mktree', '-z'], Buffer.from(`100644 blob ${object}\t\xff.js\0`, 'latin1'))
  const commit = await at.git('commit-tree', '-m', 'Names', made.trim())
  await at.git('push', '--quiet', '--force', 'origin', `${commit}:refs/heads/main`)
  await assert.rejects(take(), { code: 'FETCH_RESPONSE_INVALID', message: /not UTF-8/ })
})

test('a commit whose trees are out of order is refused before it is read', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const object = await at.git('rev-parse', 'HEAD:index.js')
  const entry = Buffer.concat([Buffer.from('100644 ..\0'), Buffer.from(object, 'hex')])
  const tree = await withInput(join(at.root, 'work'), ['hash-object', '-t', 'tree', '-w', '--stdin', '--literally'], entry)
  const commit = await at.git('commit-tree', '-m', 'Dots', tree.trim())
  await at.git('push', '--quiet', '--force', 'origin', `${commit}:refs/heads/main`)
  await assert.rejects(take(), { code: 'FETCH_RESPONSE_INVALID', message: /fsck|hasDotdot|index-pack/ })
})

test('a branch that leads to no commit is refused', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  await at.git('tag', 'blob', 'HEAD:index.js')
  await at.git('push', '--quiet', 'origin', 'refs/tags/blob')
  await assert.rejects(take({}, `git:${at.url}@blob`), { code: /^FETCH_/ })
})

test('more than the limits allow is refused: packed, unpacked, in one file, in files and in names', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  const noise = Buffer.alloc(300_000)
  for (let at32 = 0, seed = 1; at32 < noise.length; at32 += 4) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    noise.writeUInt32LE((seed ^ (seed >>> 15)) >>> 0, at32)
  }
  await at.commit({ 'noise.bin': noise })
  await at.release('1.0.0')
  assert.equal((await take()).tree.files.length, 3)
  await assert.rejects(take({ packBytes: 100_000 }), { code: 'FETCH_TOO_LARGE', message: /100000 bytes packed/ })
  await assert.rejects(take({ fileBytes: 299_999 }), { code: 'ARCHIVE_FILE_TOO_LARGE' })
  await assert.rejects(take({ totalBytes: 300_000 }), { code: 'ARCHIVE_CONTENTS_TOO_LARGE' })
  await assert.rejects(take({ files: 2 }), { code: 'ARCHIVE_TOO_MANY_FILES' })
  await assert.rejects(take({ listBytes: 100 }), { code: 'FETCH_TOO_LARGE', message: /listBytes/ })
})

test('a blob that packs to almost nothing does not get the memory it would unpack to', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.commit({ 'zeros.bin': Buffer.alloc(72 * 1024 * 1024) })
  await at.release('1.0.0')
  const mib = 1024 * 1024
  await assert.rejects(take({ memoryBytes: 64 * mib, fileBytes: 512 * mib }), { code: 'FETCH_TOO_LARGE', message: /memoryBytes/ })
  await assert.rejects(take(), { code: 'ARCHIVE_FILE_TOO_LARGE' })
})

test('a folder that is in itself a million times is refused by the length of its list', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, take } = here
  await at.release('1.0.0')
  const work = join(at.root, 'work')
  const leaf = await at.git('rev-parse', 'HEAD:index.js')
  let tree = (await withInput(work, ['mktree'], `100644 blob ${leaf}\ta.js\n`)).trim()
  for (let depth = 0; depth < 8; depth += 1) {
    const entries = Array.from('abcdefghij', (name) => `040000 tree ${tree}\t${name}\n`).join('')
    tree = (await withInput(work, ['mktree'], entries)).trim()
  }
  const commit = await at.git('commit-tree', '-m', 'Bomb', tree)
  await at.git('push', '--quiet', '--force', 'origin', `${commit}:refs/heads/main`)
  await assert.rejects(take(), { code: 'FETCH_TOO_LARGE', message: /listBytes/ })
})

async function withInput(cwd: string, args: readonly string[], input: string | Buffer): Promise<string> {
  const child = spawn('git', args, { cwd, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.end(input)
  let text = ''
  for await (const part of child.stdout) text += String(part)
  return text
}

test('a host that has no descriptor left is told that git cannot be started, and goes on', () => {
  const fixture = fileURLToPath(new URL('fixtures/without-descriptors.ts', import.meta.url))
  const limited = ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, '--conditions=@backplane/source', fixture]
  const told = execFileSync('/bin/sh', limited, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  assert.deepEqual(JSON.parse(told), { kind: 'failed', exitCode: null, message: 'git cannot be started' })
})

test('what a killed fetch left is removed by the next, and what somebody is at is not', async (t) => {
  const here = await ground(t)
  if (here === undefined) return
  const { at, temporary } = here
  await at.commit({ 'plugin.json': JSON.stringify({ id: 'acme/s3', version: '1.0.0' }) })
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  await mkdir(join(temporary, `.staging-${dead}-0123456789abcdef`))
  const alive = `.staging-${process.ppid}-0123456789abcdef`
  await mkdir(join(temporary, alive))
  await gitFetcher({ folders: [at.root], temporary }).versions(`git:${at.url}`, { signal })
  assert.deepEqual(await readdir(temporary), [alive])
  await chmod(temporary, 0o777)
  await assert.rejects(gitFetcher({ folders: [at.root], temporary }).versions(`git:${at.url}`, { signal }), {
    code: 'SOURCE_STORE_UNSAFE',
  })
})
