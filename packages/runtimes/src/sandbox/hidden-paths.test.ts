import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { hiddenPaths } from './hidden-paths.ts'

test('what a user cannot reach by name gets a place where it can, however it is called; the rest stays', async (t) => {
  const root = await realpath(await temporaryDirectory(t))
  await mkdir(join(root, 'a b#c'))
  await writeFile(join(root, 'file'), '')
  const paths = [join(root, 'a b#c'), join(root, 'file'), '/usr']
  const { sourceOf, table, ...rest } = hiddenPaths(paths, 60_706)
  assert.equal(sourceOf('/usr'), '/usr')
  const places = paths.slice(0, 2).map(sourceOf)
  assert.deepEqual(await Promise.all(places.map(async (place) => (await stat(place)).isDirectory())), [true, false])
  const lines = (await readFile(table ?? '', 'utf8')).trimEnd().split('\n')
  assert.deepEqual(lines, [`${root}/a\\040b\\043c ${places[0]} none bind 0 0`, `${root}/file ${places[1]} none bind 0 0`])
  rest[Symbol.dispose]()
  await assert.rejects(stat(places[0] ?? ''), { code: 'ENOENT' })
})

test('of what another host left, a link that only looks like it is not followed', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root hides paths')
  const root = await realpath(await temporaryDirectory(t))
  await mkdir(join(root, 'outside'))
  await writeFile(join(root, 'outside/file'), '')
  await mkdir(join(root, 'private'), { mode: 0o700 })
  await mkdir(join(root, 'private/a'))
  // No process has this number.
  const planted = `/run/backplane-9999999-1-${process.pid}`
  await symlink(join(root, 'outside'), planted)
  t.after(() => rm(planted, { force: true }))
  // A host looks once.
  const module = new URL('hidden-paths.ts', import.meta.url).href
  const code = `const { hiddenPaths } = await import(${JSON.stringify(module)}); hiddenPaths([${JSON.stringify(join(root, 'private/a'))}], 60706)[Symbol.dispose]()`
  const conditions = process.execArgv.filter((arg) => arg.startsWith('--conditions'))
  const args = [...conditions, '--input-type=module', '-e', code]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 })
  assert.equal(status, 0, stderr)
  assert.deepEqual(await readdir(join(root, 'outside')), ['file'])
})

test('nothing is hidden from a host that is not root, nor where everybody may pass', async (t) => {
  const root = await temporaryDirectory(t)
  assert.equal(hiddenPaths([join(root, 'x')], undefined).table, undefined)
  assert.equal(hiddenPaths(['/usr/bin', '/tmp'], 60_706).table, undefined)
})

test('a sandbox is built also where Node lies in a directory of root’s alone', { timeout: 60_000 }, async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const root = await temporaryDirectory(t)
  await chmod(root, 0o700)
  const node = join(root, 'node')
  await copyFile(process.execPath, node)
  const conditions = process.execArgv.filter((arg) => arg.startsWith('--conditions'))
  const machine = new URL('machine.ts', import.meta.url).href
  const code = `const { trySandbox } = await import(${JSON.stringify(machine)}); console.log(JSON.stringify(trySandbox()))`
  const args = [...conditions, '--input-type=module', '-e', code]
  const { stdout, stderr } = spawnSync(node, args, { encoding: 'utf8', timeout: 30_000 })
  assert.equal((JSON.parse(stdout || JSON.stringify({ stderr })) as { readonly works?: boolean }).works, true, stdout + stderr)
})
