import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compiledCode } from '@backplane/testing'
import type { ExportRequest } from '@hypersdk/points'
import type { ExportLogLine } from './export-input.ts'
import { makeBed, type Bed, type Given } from './fixtures/provider-in-memory.ts'
import { steadyBytes, steadyChecksum, steadyDisk, type SteadyProvider } from './fixtures/steady-disk.ts'
import { runExport } from './run-export.ts'
import { verifyArtifact } from './verify-artifact.ts'

const putOff = Symbol('put off')
const suffix = '.partial-export-1'
const mebibyte = 1_048_576

/** Checks the exported disk with a program of another hand. */
async function assertExported(bed: Bed): Promise<void> {
  assert.deepEqual(await bed.listing(), ['web.manifest.json', 'web.raw'])
  const file = join(bed.output, 'web.raw')
  assert.equal(execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64), steadyChecksum())
  assert.equal((await stat(file)).size, steadyBytes)
  assert.ok((await verifyArtifact(join(bed.output, 'web.manifest.json'))).ok)
}

/** An export that was put off after some of it was safely written. */
async function begun(t: TestContext, given: Given = {}): Promise<Bed> {
  const bed = await makeBed(t)
  const stop = new AbortController()
  const before = async (offset: number): Promise<void> => {
    if (offset < 20 * mebibyte) return
    if (given.options?.compress !== true) await journalled(bed)
    stop.abort(putOff)
  }
  const around = { signal: stop.signal, isPutOff: (reason: unknown) => reason === putOff, limits: { checkpointMs: 0 } }
  await assert.rejects(runExport(bed.input(steadyDisk({ before }), { ...around, ...given })), (reason) => reason === putOff)
  return bed
}

async function journalled(bed: Bed): Promise<number> {
  for (;;) {
    const text = await readFile(join(bed.output, `web.journal.json${suffix}`), 'utf8').catch(() => undefined)
    if (text !== undefined) return JSON.parse(text).disks[0].offset_bytes
    await pause(1)
  }
}

interface GoingOn {
  readonly lines: readonly string[]
  /** Where the provider was asked to begin. */
  readonly asked: readonly number[]
}

async function goOn(bed: Bed, provider: SteadyProvider = {}, given: Given = {}): Promise<GoingOn> {
  const lines: ExportLogLine[] = []
  const asked: number[] = []
  const whole = steadyDisk(provider)
  const exportVm = (request: ExportRequest, call: object): ReturnType<typeof whole> => {
    asked.push(...(request.resume ?? []).map(({ offset_bytes }) => offset_bytes))
    return whole(request, call)
  }
  await runExport(bed.input(exportVm, { onLog: (line) => lines.push(line), ...given }))
  return { lines: lines.map(({ message }) => message), asked }
}

test('an export killed at random moments goes on where it was safely written, and sha256sum agrees', async (t) => {
  const bed = await makeBed(t)
  const program = fileURLToPath(new URL('./fixtures/steady-disk.ts', import.meta.url))
  const offsets: number[] = []
  for (let ended = false, rounds = 0; !ended; rounds += 1) {
    assert.ok(rounds < 100, offsets.join(', '))
    const child = spawn(process.execPath, ['--conditions=@backplane/source', program, bed.root], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: compiledCode,
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    const closed = once(child, 'close')
    await once(child.stdout, 'data')
    // It writes for more than half a second; a busy machine is given more time with each round, and the last is let alone.
    const timer = setTimeout(() => child.kill('SIGKILL'), rounds < 8 ? Math.random() * (300 + rounds * 100) : 60_000)
    await closed
    clearTimeout(timer)
    ended = child.exitCode === 0
    const found = /"going on with web.raw","fields":\{"disk":"a","offset_bytes":(\d+)/.exec(output)?.[1]
    if (found !== undefined) offsets.push(Number(found))
    assert.ok(child.exitCode === 0 || child.signalCode === 'SIGKILL', output)
  }
  await assertExported(bed)
  assert.ok(offsets.length > 0, 'it was gone on with at least once')
  assert.deepEqual(
    offsets,
    offsets.toSorted((one, other) => one - other),
    'it never goes back',
  )
  t.diagnostic(`went on at ${offsets.join(', ')} of ${steadyBytes}`)
})

test('an export that is put off goes on at the provider where it was, and nothing is sent twice', async (t) => {
  const bed = await begun(t)
  const safe = await journalled(bed)
  assert.ok(safe > 0 && safe % mebibyte === 0, String(safe))
  const sent: number[] = []
  const { lines, asked } = await goOn(bed, { before: async (offset) => void sent.push(offset) })
  assert.deepEqual([asked, sent[0]], [[safe], safe])
  assert.ok(lines.includes('going on with web.raw'), lines.join('\n'))
  assert.deepEqual(bed.cleaned, ['export-1', 'export-1'])
  await assertExported(bed)
})

test('an export put off with a disk complete is asked for nothing more of it', async (t) => {
  const bed = await makeBed(t)
  const stop = new AbortController()
  const exportVm = async function* (request: ExportRequest, call: object): AsyncGenerator<never> {
    yield* steadyDisk()(request, call) as AsyncGenerator<never>
    stop.abort(putOff)
    await new Promise(() => undefined)
  }
  const around = { signal: stop.signal, isPutOff: () => true, limits: { endMs: 10 } }
  await assert.rejects(runExport(bed.input(exportVm, around)), (reason) => reason === putOff)
  const { asked } = await goOn(bed, { before: () => assert.fail('no piece is asked for') })
  assert.deepEqual(asked, [steadyBytes])
  await assertExported(bed)
})

for (const [what, provider] of [
  ['the disk at the provider has changed', { etag: 'two' }],
  ['the provider does not go on', { from: () => 0 }],
] as const) {
  test(`an export begins anew, and says so, when ${what}`, async (t) => {
    const bed = await begun(t)
    const { lines } = await goOn(bed, provider)
    assert.ok(lines.includes(`beginning web.raw anew: ${what}`), lines.join('\n'))
    await assertExported(bed)
  })
}

test('what is not there as it was noted is not gone on with: the export begins anew and says so', async (t) => {
  const bed = await begun(t)
  await using file = await open(join(bed.output, `web.raw${suffix}`), 'r+')
  await file.write('x', 12_345)
  const { lines } = await goOn(bed)
  assert.ok(
    lines.some((line) => /^starting again: the first \d+ bytes of .* have changed$/.test(line)),
    lines.join('\n'),
  )
  await assertExported(bed)
})

test('a note about another machine, in another format or that cannot be read, is not acted on', async (t) => {
  for (const given of [{ vm: { id: 'vm-8' } }, { options: { format: 'vdi' as const } }]) {
    const bed = await begun(t)
    const { asked } = await goOn(bed, {}, given).catch(() => ({ asked: [] as number[] }))
    assert.deepEqual(asked, [])
    assert.ok((await bed.listing()).every((name) => !name.endsWith(suffix)))
  }
  const bed = await begun(t)
  await using file = await open(join(bed.output, `web.journal.json${suffix}`), 'w')
  await file.write('{"version":1')
  assert.deepEqual((await goOn(bed)).asked, [])
  await assertExported(bed)
})

test('a compressed export notes nothing, so it begins anew', async (t) => {
  const bed = await begun(t, { options: { compress: true } })
  assert.deepEqual(await bed.listing(), [])
})

test('a provider that begins where it was not asked to is refused by name', async (t) => {
  const refusal = { code: 'EXPORT_OUT_OF_ORDER', plugin: 'test/memory' }
  const bed = await makeBed(t)
  await assert.rejects(runExport(bed.input(steadyDisk({ from: () => mebibyte }))), refusal)
  const later = await begun(t)
  await assert.rejects(runExport(later.input(steadyDisk({ from: () => 39 * mebibyte }))), refusal)
  await assert.rejects(runExport(bed.input(steadyDisk({ from: () => steadyBytes + 1 }))), { code: 'EXPORT_TOO_MUCH' })
  assert.deepEqual(await bed.listing(), [])
})

test('a cancelled export leaves nothing, also when some of it was safely written', async (t) => {
  const bed = await begun(t, { isPutOff: () => false })
  assert.deepEqual(await bed.listing(), [])
})
