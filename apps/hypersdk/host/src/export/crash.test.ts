import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { compiledCode, requireProgram } from '@backplane/testing'
import type { ExportItem } from '@hypersdk/points'
import type { ExportLogLine } from './export-input.ts'
import { twoDisks } from './fixtures/export-in-child.ts'
import { bedIn, makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'
import { sweepPartials } from './sweep-partials.ts'
import { verifyArtifact } from './verify-artifact.ts'

const child = [
  process.execPath,
  '--conditions=@backplane/source',
  fileURLToPath(new URL('./fixtures/export-in-child.ts', import.meta.url)),
] as const
const complete = ['web-disk-2.raw', 'web.manifest.json', 'web.raw']
const suffix = '.partial-export-1'

async function assertComplete(bed: Bed): Promise<void> {
  assert.deepEqual(await bed.listing(), complete)
  assert.ok((await verifyArtifact(join(bed.output, 'web.manifest.json'))).ok)
}

test('an export killed in its middle leaves only partial names, and the next attempt begins anew', async (t) => {
  const bed = await makeBed(t)
  const [program, ...args] = child
  const running = spawn(program, [...args, bed.root, 'wait'], { stdio: ['ignore', 'pipe', 'inherit'], env: compiledCode })
  await once(running.stdout, 'data')
  running.kill('SIGKILL')
  await once(running, 'exit')
  const left = await bed.listing()
  assert.ok(left.length > 0 && left.every((name) => name.endsWith(suffix)), left.join(' '))
  const lines: ExportLogLine[] = []
  await runExport(bed.input(twoDisks, { onLog: (line) => lines.push(line) }))
  await assertComplete(bed)
  assert.match(lines[0]?.message ?? '', /starting again/)
  assert.deepEqual(bed.cleaned, ['export-1'], 'what the killed attempt left at the provider is cleared first')
})

/** Exports in a child whose n-th file call of a kind meets with something; undefined when the child was killed. */
async function exportWith(inject: string, root: string, mode = ''): Promise<{ outcome: string; cleaned: string[] } | undefined> {
  const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`]
  // One thread for all file work, because calls are counted by thread.
  const running = promisify(execFile)('strace', [...strace, ...child, root, mode], {
    env: { ...compiledCode, UV_THREADPOOL_SIZE: '1' },
  })
  return running.then(
    ({ stdout }) => JSON.parse(stdout),
    () => undefined,
  )
}

for (const [mode, calls] of [['', ['fsync', 'link', 'unlink']], ['overwrite', ['rename', 'link', 'unlink']]] as const) {
  test(`killed at any step of its end, an export ${mode} is complete after the next attempt`, async (t) => {
    if (!requireProgram(t, 'strace', 'strace')) return
    const { root } = await makeBed(t)
    const kills = await Promise.all(calls.map((call) => killEverywhere(root, call, mode)))
    assert.ok(kills.every((count) => count >= (mode === '' ? 3 : 1)), String(kills))
  })
} // prettier-ignore

/** How often the child could be killed at a call of this kind, once for each time it is made. */
async function killEverywhere(root: string, call: string, mode: string): Promise<number> {
  for (let when = 1; ; when++) {
    const bed = await bedIn(join(root, `${call}-${when}`))
    if (mode === 'overwrite') await runExport(bed.input(threeBytes, { exportId: 'export-0' }))
    const ended = await exportWith(`${call}:signal=SIGKILL:when=${when}`, bed.root, mode)
    const left = await bed.listing()
    if (left.includes('web.manifest.json')) {
      assert.ok((await verifyArtifact(join(bed.output, 'web.manifest.json'))).ok, 'a manifest stands beside its own disks only')
      assert.ok(mode === 'overwrite' || complete.every((name) => left.includes(name)), left.join(' '))
    }
    await runExport(bed.input(twoDisks, { options: { overwrite: mode === 'overwrite' } }))
    await assertComplete(bed)
    if (ended !== undefined) return when - 1
  }
}

test('an export that may replace files, and fails at any step of its end, leaves the old ones as they were', async (t) => {
  if (!requireProgram(t, 'strace', 'strace')) return
  const { root } = await makeBed(t)
  for (let when = 1; ; when++) {
    const bed = await bedIn(join(root, String(when)))
    await runExport(bed.input(threeBytes, { exportId: 'export-0' }))
    await writeFile(join(bed.output, 'web-disk-2.raw'), 'older still')
    const before = await contents(bed)
    const ended = await exportWith(`rename:error=EIO:when=${when}`, bed.root, 'overwrite')
    if (ended?.outcome === 'completed') return assert.ok(when > 3, String(when))
    assert.equal(ended?.outcome, 'EXPORT_WRITE_FAILED')
    assert.deepEqual(await contents(bed), before)
  }
})

/** Names and bytes of all files. */
async function contents(bed: Bed): Promise<Readonly<Record<string, string>>> {
  const files = await bed.listing()
  const texts = await Promise.all(files.map((name) => readFile(join(bed.output, name), 'latin1')))
  return Object.fromEntries(files.map((name, index) => [name, texts[index] ?? '']))
}

async function* threeBytes(): AsyncGenerator<ExportItem> {
  yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3 }
  yield { kind: 'hole', disk: 'a', offset: 0, length: 3 }
}

test('an input or output error at any step of the writing fails the export and leaves nothing', async (t) => {
  if (!requireProgram(t, 'strace', 'strace')) return
  const { root } = await makeBed(t)
  await Promise.all(['pwrite64', 'fsync', 'unlink'].map((call) => failEverywhere(root, call)))
})

async function failEverywhere(root: string, call: string): Promise<void> {
  for (let when = 1; ; when++) {
    const bed = await bedIn(join(root, `${call}-${when}`))
    const ended = await exportWith(`${call}:error=EIO:when=${when}`, bed.root)
    if (ended?.outcome === 'completed') return assert.ok(when > 1)
    assert.deepEqual(ended, { outcome: 'EXPORT_WRITE_FAILED', cleaned: ['export-1'] })
    assert.deepEqual(await bed.listing(), [])
  }
}

test('where the file system has no hard links an export is renamed into place', async (t) => {
  if (!requireProgram(t, 'strace', 'strace')) return
  const bed = await makeBed(t)
  assert.equal((await exportWith('link:error=EPERM', bed.root))?.outcome, 'completed')
  await assertComplete(bed)
})

test('a name that somebody takes at the very end is not replaced', async (t) => {
  if (!requireProgram(t, 'strace', 'strace')) return
  const bed = await makeBed(t)
  assert.equal((await exportWith('link:error=EEXIST:when=2', bed.root))?.outcome, 'EXPORT_TARGET_EXISTS')
  assert.deepEqual(await bed.listing(), [])
})

test('a decided export whose name was taken meanwhile fails and takes back what it had placed', async (t) => {
  const bed = await makeBed(t)
  await decided(bed, ['web.raw'])
  await writeFile(join(bed.output, 'web-disk-2.raw'), 'of somebody else')
  await assert.rejects(runExport(bed.input(notAsked)), { code: 'EXPORT_TARGET_EXISTS', message: /web-disk-2\.raw/ })
  assert.deepEqual([await bed.listing(), bed.cleaned], [['web-disk-2.raw'], ['export-1']])
})

/** An export that was decided: its files, each either still partial or already placed. */
async function decided(bed: Bed, placed: readonly string[]): Promise<void> {
  await runExport(bed.input(twoDisks))
  for (const name of complete) {
    if (!placed.includes(name)) await rename(join(bed.output, name), join(bed.output, name + suffix))
  }
}

const notAsked = async function* (): AsyncGenerator<ExportItem> {
  yield* []
  assert.fail('the provider is not asked')
}

for (const placed of [[], ['web.raw'], ['web.raw', 'web-disk-2.raw'], complete]) {
  test(`an export that was decided with ${placed.length} files placed is finished without asking the provider`, async (t) => {
    const bed = await makeBed(t)
    await decided(bed, placed)
    const lines: ExportLogLine[] = []
    const result = await runExport(bed.input(notAsked, { onLog: (line) => lines.push(line) }))
    assert.deepEqual([result.size, result.files.length, result.metadata['export_id']], [500_000, 3, 'export-1'])
    await assertComplete(bed)
    assert.deepEqual(lines.map(({ message }) => message), ['an earlier attempt had the export complete']) // prettier-ignore
  })
}

test('a decided export whose bytes are damaged is exported again, and what was placed of it is taken away', async (t) => {
  const bed = await makeBed(t)
  await decided(bed, ['web.raw'])
  await writeFile(join(bed.output, `web-disk-2.raw${suffix}`), new Uint8Array(300_000).fill(9))
  await runExport(bed.input(twoDisks))
  await assertComplete(bed)
})

test('a record of another export, or about files elsewhere, is never acted on', async (t) => {
  const bed = await makeBed(t)
  await decided(bed, [])
  const elsewhere = join(bed.root, 'precious.raw')
  await copyFile(join(bed.output, `web.raw${suffix}`), elsewhere)
  const record = join(bed.output, `web.manifest.json${suffix}`)
  await rm(join(bed.output, `web.raw${suffix}`))
  await writeFile(record, (await readFile(record, 'utf8')).replace(join(bed.output, 'web.raw'), elsewhere))
  await runExport(bed.input(twoDisks))
  await assertComplete(bed)
  assert.equal((await readFile(elsewhere)).length, 200_000)
})

test('sweeping removes the unfinished files of one export and no others', async (t) => {
  const bed = await makeBed(t)
  await mkdir(bed.output)
  const names = ['web.raw', `web.raw${suffix}`, 'web.raw.partial-export-2', 'notes.partial-export-1.txt', `db.qcow2${suffix}`]
  for (const name of names) await writeFile(join(bed.output, name), '')
  const removed = await sweepPartials(bed.output, 'export-1')
  assert.deepEqual(removed.map((path) => path.slice(bed.output.length + 1)).sort(), [`db.qcow2${suffix}`, `web.raw${suffix}`])
  assert.deepEqual(await bed.listing(), ['notes.partial-export-1.txt', 'web.raw', 'web.raw.partial-export-2'])
  assert.deepEqual(await sweepPartials(join(bed.root, 'not there'), 'export-1'), [])
})
