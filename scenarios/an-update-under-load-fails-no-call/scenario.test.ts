import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, copyOver, letGo, writeSlowProvider } from '../support/slow-provider.ts'

test('under constant calls and a running export a plugin is updated, breaks and is removed, and no call fails', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const folder = join(places.plugins, 'slow')
  await writeSlowProvider(folder, { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)

  const failures: string[] = []
  const versions = new Set<string>()
  const served = async (): Promise<string> => {
    const answer = await daemon.get('/api/providers/slow/vms')
    if (answer.status !== 200) failures.push(answer.text)
    return answer.body.vms?.[0]?.tags.version
  }
  const over = new AbortController()
  const callers = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) versions.add(await served())
  })

  const first = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'on-v1' })
  await daemon.until(async () => (await daemon.job(first)).progress?.bytes_downloaded > 0)

  // File by file into the folder that is being used, as a build would do it.
  await writeSlowProvider(join(places.root, 'build/slow'), { version: '2.0.0' })
  await copyOver(join(places.root, 'build/slow'), folder)
  await daemon.until(async () => (await served()) === '2.0.0')
  assert.equal((await daemon.job(first)).status, 'running')
  const second = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'on-v2' })
  await daemon.until(async () => (await daemon.job(second)).progress?.bytes_downloaded > 0)

  await writeSlowProvider(folder, { version: '3.0.0', code: 'throw new Error("v3 is broken")' })
  await daemon.until(async () => (await daemon.plugin('slow')).update !== null)
  const record = await daemon.plugin('slow')
  assert.equal(record.version, '2.0.0')
  assert.equal(record.state, 'active')
  assert.equal(record.update.version, '3.0.0')
  assert.match(record.update.failure.message, /v3 is broken/)
  assert.equal(await served(), '2.0.0')

  over.abort()
  await Promise.all(callers)
  assert.deepEqual(failures, [])
  assert.deepEqual([...versions].sort(), ['1.0.0', '2.0.0'])

  await rm(folder, { recursive: true })
  await daemon.until(async () => (await daemon.get('/api/providers/slow/vms')).status !== 200)
  const refused = await daemon.get('/api/providers/slow/vms')
  assert.match(refused.body.code, /^(PROVIDER_PLUGIN_MISSING|PROVIDER_UNAVAILABLE)$/)
  assert.ok(refused.body.hint.length > 0)

  await letGo(places.control)
  const [onV1, onV2] = [await daemon.ended(first), await daemon.ended(second)]
  assert.deepEqual([onV1.status, onV1.plugin.version, onV1.result?.checksum], ['completed', '1.0.0', checksumOf('1.0.0')])
  assert.deepEqual([onV2.status, onV2.plugin.version, onV2.result?.checksum], ['completed', '2.0.0', checksumOf('2.0.0')])
  assert.equal(await daemon.stop(), 0)
})
