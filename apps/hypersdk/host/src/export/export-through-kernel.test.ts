import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { Lease } from '@backplane/kernel'
import type { Call, OpenedClient } from '@backplane/sdk'
import { testKernel } from '@backplane/testing'
import { ExportOptions, provider, VmInfo, type ExportItem } from '@hypersdk/points'
import { listVms } from '../inventory/list-vms.ts'
import type { ExportInput } from './export-input.ts'
import { makeBed, type Bed } from './fixtures/provider-in-memory.ts'
import { runExport } from './run-export.ts'

type ExportVm = (request: { readonly staging_dir: string }, call: Call) => AsyncGenerator<ExportItem>

interface Through {
  readonly bed: Bed
  readonly client: OpenedClient<typeof provider>
  readonly lease: Lease<typeof provider>
  readonly cleaned: string[]
  readonly input: (given?: Partial<ExportInput>) => ExportInput
}

/** A plugin in a kernel, leased and opened as the daemon does it. */
async function through(t: TestContext, exportVm: ExportVm): Promise<Through> {
  const bed = await makeBed(t)
  const cleaned: string[] = []
  const machines = [VmInfo.parse({ id: 'vm-7', name: 'web', state: 'poweredOn' }), VmInfo.parse({ id: 'vm-8', name: 'db' })]
  const unused = (): never => assert.fail('not part of this test')
  const running = await testKernel({
    points: [provider],
    dataDirectory: join(bed.root, 'data'),
    plugins: [
      {
        manifest: { id: 'test/memory', contributes: { [provider.id]: { memory: {} } } },
        setup: (scope) =>
          scope.provide(provider, 'memory', {
            open: () => ({
              exportVm,
              cleanupExport: ({ export_id }) => void cleaned.push(export_id),
              listVms: () => machines,
              validateCredentials: unused,
              getVm: unused,
              searchVms: unused,
            }),
          }),
      },
    ],
  })
  const lease = await running.kernel.lease(provider, 'memory')
  const client = await lease.handle.open({})
  t.after(async () => {
    await client[Symbol.asyncDispose]()
    await lease[Symbol.asyncDispose]()
    await running[Symbol.asyncDispose]()
  })
  const input = (given: Partial<ExportInput> = {}): ExportInput => ({
    exportId: 'export-1',
    vm: VmInfo.parse({ id: 'vm-7', name: 'web', provider: 'memory' }),
    options: ExportOptions.parse({}),
    outputDirectory: bed.output,
    lease,
    client,
    signal: new AbortController().signal,
    ...given,
  })
  return { bed, client, lease, cleaned, input }
}

test('a plugin’s export goes through the kernel to the disk', async (t) => {
  const { bed, input, client, cleaned } = await through(t, async function* ({ staging_dir }, call) {
    assert.ok(staging_dir.length > 0)
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 6 }
    call.progress(1, 2, 'reading')
    yield { kind: 'bytes', disk: 'a', offset: 0, bytes: new TextEncoder().encode('abcdef') }
  })
  assert.deepEqual((await listVms(client, { state: 'running' }, { providerType: 'memory' })).map(({ id }) => id), ['vm-7']) // prettier-ignore
  const result = await runExport(input())
  assert.equal(await readFile(result.output_path, 'utf8'), 'abcdef')
  assert.deepEqual([await bed.listing(), cleaned], [['web.manifest.json', 'web.raw'], []])
})

test('an item that breaks the contract ends the export, and the plugin cleans up', async (t) => {
  const { bed, input, cleaned } = await through(t, async function* () {
    yield { kind: 'disk', disk: '../a', format: 'raw', size_bytes: 6 }
  })
  await assert.rejects(runExport(input()), { code: 'CALL_OUTPUT_INVALID', plugin: 'test/memory' })
  assert.deepEqual([await bed.listing(), cleaned], [[], ['export-1']])
})

test('a label of a disk has at most 1,000 characters', async (t) => {
  for (const [length, refused] of [
    [1_000, false],
    [1_001, true],
  ] as const) {
    const { input } = await through(t, async function* () {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 3, label: 'x'.repeat(length) }
      yield { kind: 'bytes', disk: 'a', offset: 0, bytes: Buffer.from('abc') }
    })
    if (refused) await assert.rejects(runExport(input()), { code: 'CALL_OUTPUT_INVALID', plugin: 'test/memory' })
    else await runExport(input())
  }
})

test('what the plugin fails with is what the export fails with', async (t) => {
  const { bed, input, cleaned } = await through(t, async function* () {
    yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 6 }
    throw Object.assign(new Error('quota exceeded'), { code: 'QUOTA' })
  })
  await assert.rejects(runExport(input()), { code: 'CALL_FAILED', message: /quota exceeded/ })
  assert.deepEqual([await bed.listing(), cleaned], [[], ['export-1']])
})

test('a cancelled export ends the plugin’s generator and lets it clean up', async (t) => {
  const caller = new AbortController()
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const { bed, input, cleaned } = await through(t, async function* (_, call) {
    try {
      yield { kind: 'disk', disk: 'a', format: 'raw', size_bytes: 6 }
      caller.abort()
      if (!call.signal.aborted) await once(call.signal, 'abort')
      call.signal.throwIfAborted()
    } finally {
      resolve('the generator ended')
    }
  })
  await assert.rejects(runExport(input({ signal: caller.signal })), { name: 'AbortError' })
  assert.equal(await ended, 'the generator ended')
  assert.deepEqual([await bed.listing(), cleaned], [[], ['export-1']])
})
