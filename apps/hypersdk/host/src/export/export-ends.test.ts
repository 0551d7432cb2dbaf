import assert from 'node:assert/strict'
import test from 'node:test'
import type { CallOptions } from '@backplane/sdk'
import type { ExportItem } from '@hypersdk/points'
import * as fc from 'fast-check'
import type { ExportLogLine } from './export-input.ts'
import { makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'

const MiB = 1_048_576

/** Two disks in ten items. */
const items: readonly ExportItem[] = [
  { kind: 'vm', cpu: 1 },
  { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 6 * MiB },
  { kind: 'bytes', disk: 'a', offset: 0, bytes: new Uint8Array(2 * MiB).fill(1) },
  { kind: 'hole', disk: 'a', offset: 2 * MiB, length: 2 * MiB },
  { kind: 'bytes', disk: 'a', offset: 4 * MiB, bytes: new Uint8Array(2 * MiB).fill(2) },
  { kind: 'warning', stage: 's', message: 'm' },
  { kind: 'disk', disk: 'b', format: 'raw', size_bytes: null },
  { kind: 'hole', disk: 'b', offset: 0, length: 2 * MiB },
  { kind: 'bytes', disk: 'b', offset: 2 * MiB, bytes: new Uint8Array(100).fill(3) },
  { kind: 'bytes', disk: 'b', offset: 2 * MiB + 100, bytes: new Uint8Array(100) },
]

async function nothingLeft(bed: Bed, cleaned: readonly string[]): Promise<void> {
  assert.deepEqual([await bed.listing(), await bed.left(), bed.cleaned], [[], [], cleaned])
}

const ends = ['cancel', 'cancel and go on', 'fail', 'lose the plugin'] as const
const point = fc.record({
  after: fc.integer({ min: 0, max: items.length }),
  end: fc.constantFrom(...ends),
  compress: fc.boolean(),
})

test('an export that ends early, after any item and in any way, leaves nothing and cleans up once', async (t) => {
  const check = async ({
    after,
    end,
    compress,
  }: {
    after: number
    end: (typeof ends)[number]
    compress: boolean
  }): Promise<void> => {
    const bed = await makeBed(t)
    const caller = new AbortController()
    const lease = new AbortController()
    const reason = new DOMException('enough', 'AbortError')
    const exportVm = async function* (_: unknown, call: CallOptions): AsyncGenerator<ExportItem> {
      yield* items.slice(0, after)
      if (end === 'fail') throw new Error('the provider is down')
      if (end === 'lose the plugin') lease.abort(new Error('it was killed'))
      else caller.abort(reason)
      assert.ok(call.signal?.aborted, 'the plugin’s call is aborted too')
      if (end === 'cancel') call.signal.throwIfAborted()
      yield* items.slice(after)
    }
    const input = bed.input(exportVm, { signal: caller.signal, leaseSignal: lease.signal, options: { compress } })
    const expected = {
      cancel: reason,
      'cancel and go on': reason,
      fail: { message: 'the provider is down' },
      'lose the plugin': { code: 'EXPORT_PLUGIN_LOST', plugin: 'test/memory', retryable: true, message: /it was killed/ },
    }[end]
    await assert.rejects(runExport(input), expected)
    await nothingLeft(bed, ['export-1'])
  }
  const examples = Array.from({ length: items.length + 1 }, (_, after) =>
    ends.map((end): [Parameters<typeof check>[0]] => [{ after, end, compress: false }]),
  )
  await fc.assert(fc.asyncProperty(point, check), { examples: examples.flat(), numRuns: 60 })
})

test('an export that was cancelled before it began asks nothing of the plugin', async (t) => {
  const bed = await makeBed(t)
  const exportVm = (): never => assert.fail('not to be called')
  await assert.rejects(runExport(bed.input(exportVm, { signal: AbortSignal.abort() })), { name: 'AbortError' })
  await nothingLeft(bed, [])
})

/** Answers nothing and does not listen. */
const deaf = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}), return: () => new Promise<never>(() => {}) }),
}

test('a plugin that never answers is given up after the stall limit', async (t) => {
  const bed = await makeBed(t)
  const limits = { stallMs: 20, endMs: 10 }
  await assert.rejects(runExport(bed.input(() => deaf, { limits })), {
    code: 'EXPORT_STALLED',
    plugin: 'test/memory',
    retryable: true,
  })
  await nothingLeft(bed, ['export-1'])
})

test('progress reports of the plugin are signs of life', async (t) => {
  const bed = await makeBed(t)
  const exportVm = async function* (_: unknown, call: CallOptions): AsyncGenerator<ExportItem> {
    for (let step = 0; step < 20; step++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      call.onProgress?.({ done: step, total: 20, phase: 'snapshot' })
    }
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 1 }
    yield { kind: 'hole', disk: 'a', offset: 0, length: 1 }
  }
  const phases = new Set<string>()
  await runExport(bed.input(exportVm, { limits: { stallMs: 300 }, onProgress: ({ phase }) => phases.add(phase) }))
  assert.ok(phases.has('snapshot'))
})

test('a cancelled export does not wait for a plugin that does not listen', async (t) => {
  const bed = await makeBed(t)
  const caller = new AbortController()
  const exportVm = (): typeof deaf => {
    setImmediate(() => caller.abort())
    return deaf
  }
  const input = bed.input(exportVm, { signal: caller.signal, limits: { endMs: 10 } })
  await assert.rejects(runExport(input), { name: 'AbortError' })
  await nothingLeft(bed, ['export-1'])
})

test('cancelling ends a hole that would take hours', async (t) => {
  const bed = await makeBed(t)
  const caller = new AbortController()
  const exportVm = async function* (): AsyncGenerator<ExportItem> {
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: null }
    yield { kind: 'hole', disk: 'a', offset: 0, length: 32 * 1024 ** 4 }
  }
  const onProgress = ({ bytesDone }: { bytesDone: number }): void => void (bytesDone > 0 && caller.abort())
  await assert.rejects(runExport(bed.input(exportVm, { signal: caller.signal, onProgress })), { name: 'AbortError' })
  await nothingLeft(bed, ['export-1'])
})

for (const [title, cleanupExport] of [
  ['fails', () => Promise.reject(new Error('no'))],
  ['never ends', () => new Promise<never>(() => {})],
] as const) {
  test(`a clean-up that ${title} is logged, and the export’s own error is told`, async (t) => {
    const bed = await makeBed(t)
    const lines: ExportLogLine[] = []
    const exportVm = (): never => {
      throw new Error('the provider is down')
    }
    const input = bed.input(exportVm, { cleanupExport, limits: { cleanupMs: 20 }, onLog: (line) => lines.push(line) })
    await assert.rejects(runExport(input), { message: 'the provider is down' })
    assert.deepEqual(bed.cleaned, ['export-1'])
    assert.match(lines.at(-1)?.message ?? '', /could not clean up/)
  })
}
