import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, renameSync, symlinkSync } from 'node:fs'
import { appendFile, chown, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { Worker } from 'node:worker_threads'
import type { ExportItem } from '@hypersdk/points'
import { makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'
import { StagingDirectory } from './staging-directory.ts'

const secret = 'not for export'

/** An export of one disk by a file that `make` puts into the staging directory. */
function exportFile(
  bed: Bed,
  path: string,
  make: (staging: string, outside: string) => Promise<unknown>,
): ReturnType<typeof runExport> {
  const exportVm = async function* ({ staging_dir }: { staging_dir: string }): AsyncGenerator<ExportItem> {
    const outside = join(bed.root, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'secret'), secret)
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: null }
    await make(staging_dir, outside)
    yield { kind: 'file', disk: 'a', path }
  }
  return runExport(bed.input(exportVm))
}

const attacks: readonly (readonly [string, string, (staging: string, outside: string) => Promise<unknown>])[] = [
  ['a path upwards', '../../outside/secret', async () => {}],
  ['a path upwards in its middle', 'x/../../../outside/secret', (staging) => mkdir(join(staging, 'x'))],
  ['an absolute path', '/etc/hostname', async () => {}],
  ['a name with NUL', 'disk\0', async () => {}],
  ['the directory itself', '.', async () => {}],
  ['a directory', 'disk', (staging) => mkdir(join(staging, 'disk'))],
  ['a file that is not there', 'disk', async () => {}],
  ['a link to a file outside', 'disk', (staging, outside) => symlink(join(outside, 'secret'), join(staging, 'disk'))],
  ['a link to a file inside', 'disk', async (staging) => {
    await writeFile(join(staging, 'real'), 'x')
    await symlink('real', join(staging, 'disk'))
  }],
  ['a directory that is a link', 'sub/secret', (staging, outside) => symlink(outside, join(staging, 'sub'))],
  ['a second name of a file outside', 'disk', (staging, outside) => link(join(outside, 'secret'), join(staging, 'disk'))],
  ['a pipe', 'disk', async (staging) => execFileSync('mkfifo', [join(staging, 'disk')])],
  ['the staging directory swapped for a link', 'secret', async (staging, outside) => {
    await rename(staging, `${staging}-moved`)
    await symlink(outside, staging)
  }],
] // prettier-ignore

for (const [title, path, make] of attacks) {
  test(`a plugin cannot have a file exported that is not its own: ${title}`, async (t) => {
    const bed = await makeBed(t)
    await assert.rejects(exportFile(bed, path, make), { code: 'EXPORT_FILE_UNSAFE', plugin: 'test/memory' })
    assert.deepEqual(await bed.listing(), [])
    assert.equal(await readFile(join(bed.root, 'outside', 'secret'), 'utf8'), secret, 'nothing outside is removed')
  })
}

test('a file in a directory of the staging directory is exported, by copy', async (t) => {
  const bed = await makeBed(t)
  const result = await exportFile(bed, 'deep/disk.img', async (staging) => {
    await mkdir(join(staging, 'deep'))
    await writeFile(join(staging, 'deep', 'disk.img'), 'abc')
  })
  assert.equal(await readFile(result.output_path, 'utf8'), 'abc')
  assert.deepEqual(await bed.left(), [])
})

test('a file that is not as long as declared is refused', async (t) => {
  for (const [size_bytes, code] of [[2, 'EXPORT_TOO_MUCH'], [4, 'EXPORT_INCOMPLETE']] as const) {
    const bed = await makeBed(t)
    const exportVm = async function* ({ staging_dir }: { staging_dir: string }): AsyncGenerator<ExportItem> {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes }
      await writeFile(join(staging_dir, 'disk'), 'abc')
      yield { kind: 'file', disk: 'a', path: 'disk' }
    }
    await assert.rejects(runExport(bed.input(exportVm)), { code })
  } // prettier-ignore
})

test('a file that its maker goes on writing while it is copied is refused', async (t) => {
  const bed = await makeBed(t)
  const { promise: done, resolve } = Promise.withResolvers<undefined>()
  const stop = new AbortController()
  const exportVm = async function* ({ staging_dir }: { staging_dir: string }): AsyncGenerator<ExportItem> {
    const path = join(staging_dir, 'disk')
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: null }
    await writeFile(path, Buffer.alloc(8 * 1_048_576, 1))
    void (async () => {
      while (!stop.signal.aborted) await appendFile(path, 'more').catch(() => stop.abort())
      resolve(undefined)
    })()
    yield { kind: 'file', disk: 'a', path: 'disk' }
  }
  await assert.rejects(runExport(bed.input(exportVm)), { code: 'EXPORT_FILE_UNSAFE', message: /changed while/ })
  stop.abort()
  await done
})

test('what a plugin leaves in its staging directory goes with it, links are not followed', async (t) => {
  const bed = await makeBed(t)
  await exportFile(bed, 'disk', async (staging, outside) => {
    await writeFile(join(staging, 'disk'), 'abc')
    await mkdir(join(staging, 'a', 'b', 'c'), { recursive: true })
    await writeFile(join(staging, 'a', 'b', 'left'), '')
    await symlink(outside, join(staging, 'a', 'link'))
    await writeFile(Buffer.concat([Buffer.from(`${staging}/`), Buffer.from([0xff, 0xfe])]), 'a name that is no text')
  })
  assert.deepEqual(await bed.left(), [])
  assert.deepEqual(await readdir(join(bed.root, 'outside')), ['secret'])
})

test('swapping a directory for a link while it is removed removes nothing outside', async (t) => {
  const bed = await makeBed(t)
  const outside = join(bed.root, 'outside')
  const names = Array.from({ length: 2000 }, (_, index) => `f${index}`)
  let swapped: Promise<void> = Promise.resolve()
  await exportFile(bed, 'disk', async (staging) => {
    const victim = join(staging, 'victim')
    await mkdir(victim)
    await Promise.all(names.flatMap((name) => [writeFile(join(victim, name), ''), writeFile(join(outside, name), '')]))
    await writeFile(join(staging, 'disk'), 'abc')
    swapped = swapOnceRemovalBegan(victim)
  })
  await swapped
  assert.equal((await readdir(outside)).length, names.length + 1)

  // Synchronous, so that it does not wait behind the removal itself.
  async function swapOnceRemovalBegan(victim: string): Promise<void> {
    while (readdirSync(victim).length === names.length) await new Promise((resolve) => setImmediate(resolve))
    renameSync(victim, join(bed.root, 'away'))
    symlinkSync(outside, victim)
  }
})

test('a directory that is removed by another at the same time is not told as one that is left', async (t) => {
  const bed = await makeBed(t)
  const told: unknown[] = []
  for (let tries = 0; tries < 5; tries++) {
    const staging = await StagingDirectory.create(bed.exchange, (error) => told.push(error))
    const names = Array.from({ length: 50 }, (_, index) => join(staging.path, `d${index}`))
    await Promise.all(names.map((name) => mkdir(name)))
    await Promise.all(names.flatMap((name) => ['a', 'b', 'c'].map((file) => writeFile(join(name, file), ''))))
    await Promise.all([rm(staging.path, { recursive: true, force: true }), staging[Symbol.asyncDispose]()])
  }
  assert.deepEqual(told, [])
  assert.deepEqual(await bed.left(), [])
})

test('a link put in the place of a new staging directory is not followed when the directory is given to the plugin', async (t) => {
  // Only a host that is root gives anything away.
  if (process.getuid?.() !== 0) return t.diagnostic('this is not run as root')
  const bed = await makeBed(t)
  const [parent, victim] = [join(bed.root, 'of-the-plugin'), join(bed.root, 'of-the-host')]
  await mkdir(parent)
  await writeFile(victim, '')
  await chown(parent, 60_706, 60_706)
  const swapper = new Worker(swapForLinks, { eval: true, workerData: { parent, victim } })
  await once(swapper, 'online')
  for (let tries = 0; tries < 30; tries++) {
    const staging = await StagingDirectory.create(parent, () => undefined).catch(() => undefined)
    await staging?.[Symbol.asyncDispose]()
  }
  await swapper.terminate()
  assert.ok(
    (await readdir(parent)).some((name) => name.startsWith('moved')),
    'some were really swapped',
  )
  assert.equal((await stat(victim)).uid, 0)
})

/** What a plugin may do at any time with what lies in its exchange directory. */
const swapForLinks = `
const fs = require('node:fs')
const { parent, victim } = require('node:worker_threads').workerData
for (let swapped = 0; ; ) {
  for (const name of fs.readdirSync(parent).filter((one) => one.startsWith('export-'))) {
    try {
      if (!fs.lstatSync(parent + '/' + name).isDirectory()) continue
      fs.renameSync(parent + '/' + name, parent + '/moved-' + swapped++)
      fs.symlinkSync(victim, parent + '/' + name)
    } catch {}
  }
}`

test('a staging directory that cannot be made is told with a code and its place', async (t) => {
  const bed = await makeBed(t)
  await assert.rejects(
    StagingDirectory.create(`${bed.root}/gone`, () => assert.fail()),
    { code: 'EXPORT_WRITE_FAILED', message: /gone/ },
  )
})
