import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { acceptManifest } from '@backplane/kernel'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { put } from '../fixtures/package-folder.ts'
import { installed } from '../lock/installed.ts'
import { Installer } from './installer.ts'

const run = promisify(execFile)
const { signal } = new AbortController()
const user = [
  process.execPath,
  '--conditions=@backplane/source',
  fileURLToPath(new URL('../fixtures/install-user.ts', import.meta.url)),
] as const

/** Kills of each operation, spread over all points there are. `KILLS=200 FILE_TIMEOUT_SECONDS=3600 npm test -- install/killed-anywhere` is the long form. */
const kills = Number(process.env['KILLS'] ?? 3)
/** How often a process opens and writes anything differs from run to run, so only the long form counts these. */
const alsoElsewhere = kills > 100 ? ['openat', 'write'] : []
/** Calls that change what is on the disk. */
const changing = ['mkdir', 'pwrite64', 'fsync', 'fdatasync', 'fchmod', 'chmod', 'rename', 'unlink', 'rmdir', 'utimensat']
const calls = [...alsoElsewhere, ...changing]

interface Ground {
  readonly root: string
  readonly before: string
  readonly after: string
}

function installerAt(root: string): Installer {
  return new Installer({
    lock: join(root, 'backplane.lock'),
    store: join(root, 'store'),
    fetchers: [directoryFetcher({ from: join(root, '..', 'packages') })],
    judge: () => ({ ok: true, trust: 'unsigned', rules: [] }),
    acceptManifest,
    hostApi: '1.0.0',
    referenceOf: (id) => `./${id.split('/')[1]}`,
  })
}

async function lockAt(root: string): Promise<string> {
  return readFile(join(root, 'backplane.lock'), 'utf8').catch(() => '')
}

/** How often the operation makes each call, when nothing happens to it; only calls made of these files count. */
async function pointsOf(root: string, what: string): Promise<readonly string[]> {
  const log = join(root, 'calls')
  const strace = ['-f', '-qq', '-o', log, '-e', `trace=${calls.join(',')}`]
  await run('strace', [...strace, ...user, root, what], { env: { UV_THREADPOOL_SIZE: '1' } })
  const counts = new Map<string, number>()
  const points: string[] = []
  for (const line of (await readFile(log, 'utf8')).split('\n')) {
    const [, thread = '', call = ''] = /^(\d+)\s+(\w+)\(/.exec(line) ?? []
    const at = (counts.get(`${thread} ${call}`) ?? 0) + 1
    counts.set(`${thread} ${call}`, at)
    if (changesSomething(call, line)) points.push(`${call}:${at}`)
  }
  await rm(log)
  return [...new Set(points)]
}

function changesSomething(call: string, line: string): boolean {
  if (call === 'openat') return line.includes('O_CREAT')
  return call !== '' && (call !== 'write' || !/write\([012],/.test(line))
}

async function killAt(root: string, what: string, point: string): Promise<boolean> {
  const [call, when] = point.split(':')
  const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`]
  return run('strace', [...strace, ...user, root, what], { env: { UV_THREADPOOL_SIZE: '1' } }).then(
    () => false,
    () => true,
  )
}

/** A machine on which the operation is to be done: what is installed, and the packages it would find. */
async function ground(t: TestContext, what: string): Promise<Ground> {
  const root = await temporaryDirectory(t)
  const packages = join(root, 'packages')
  await mkdir(packages)
  await put(packages, 'a', { dependencies: [{ id: 'acme/b', range: '^1.0.0' }] }, { 'index.js': 'one()', 'lib/x.js': 'x' })
  await put(packages, 'b')
  const before = join(root, 'before')
  await mkdir(before)
  if (what !== 'install') {
    const installer = installerAt(before)
    await installer.apply(await installer.plan([{ kind: 'add', reference: './a' }], { signal }), {}, { signal })
  }
  if (what === 'update') await put(packages, 'a', { version: '2.0.0' }, { 'index.js': 'two()' })
  const after = join(root, 'after')
  await cp(before, after, { recursive: true, preserveTimestamps: true })
  await run(user[0], [...user.slice(1), after, what], { env: {} })
  return { root, before, after }
}

for (const what of ['install', 'update', 'remove']) {
  test(`killed at any moment of ${what}, the old lock or the new one holds, and the store has what it names`, async (t) => {
    if (!requireProgram(t, 'strace', 'strace')) return
    const { root, before, after } = await ground(t, what)
    const trial = join(root, 'trial')
    await cp(before, trial, { recursive: true, preserveTimestamps: true })
    const points = await pointsOf(trial, what)
    const chosen = points.filter(
      (_, at) => Math.floor((at * kills) / points.length) !== Math.floor(((at - 1) * kills) / points.length),
    )
    const [old, fresh] = await Promise.all([lockAt(before), lockAt(after)])
    assert.notEqual(old, fresh)
    let killed = 0
    for (const point of chosen) {
      await rm(trial, { recursive: true, force: true })
      await cp(before, trial, { recursive: true, preserveTimestamps: true })
      if (await killAt(trial, what, point)) killed += 1
      const lock = await lockAt(trial)
      assert.ok(lock === old || lock === fresh, `${point}: the lock is neither the old one nor the new`)
      const installer = installerAt(trial)
      assert.deepEqual(await installer.verify(signal), [], `${point}: the store lacks what the lock names`)
      const { packages, problems } = await installed({ lock: join(trial, 'backplane.lock'), store: join(trial, 'store') }).list(
        signal,
      )
      assert.deepEqual([problems, packages.length], [[], Object.keys((await installer.lock()).plugins).length])
      await run(user[0], [...user.slice(1), trial, what], { env: {} }).catch((error: unknown) => {
        const isDone =
          what === 'remove' && lock === fresh && /INSTALL_NOT_LOCKED/.test(String(Reflect.get(Object(error), 'stderr')))
        assert.ok(isDone, `${point}: it cannot be done again`)
      })
      assert.equal(await lockAt(trial), fresh, `${point}: done again, it is not what it would have been`)
      const names = [...(await readdir(trial)), ...(await readdir(join(trial, 'store')))]
      assert.deepEqual(
        names.filter((name) => name.includes('.staging-')),
        [],
        `${point}: something is left behind`,
      )
    }
    assert.ok(killed > chosen.length / 2, `${killed} of ${chosen.length} points killed it`)
    t.diagnostic(`${killed} kills at ${points.length} points`)
  })
}
