import assert from 'node:assert/strict'
import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Hypervisord, makePlaces, type Places } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

interface Exported {
  readonly places: Places
  readonly daemon: Hypervisord
  readonly id: string
  readonly disk: string
  readonly manifest: string
}

async function exported(t: TestContext): Promise<Exported> {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await letGo(places.control)
  const daemon = await Hypervisord.start(places)
  const { definition, result } = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' }))
  return { places, daemon, id: definition.id, disk: result.files[0], manifest: result.files[1] }
}

test('what was exported is read again and compared, file by file', async (t) => {
  const { daemon, id, disk } = await exported(t)
  const path = `/jobs/${id}/verify`
  const sum = `sha256:${checksumOf('1.0.0')}`
  const good = await daemon.get(path)
  assert.equal(good.status, 200)
  const file = { disk: 'disk0', path: disk, bytes: 2 * 1024 * 1024, expected: sum }
  assert.deepEqual([good.body.ok, good.body.files], [true, [{ ...file, status: 'intact', checksum: sum }]])

  await using changed = await open(disk, 'r+')
  await changed.write('x', 1_000_000)
  const bad = (await daemon.get(path)).body
  assert.deepEqual([bad.ok, bad.files[0].status], [false, 'wrong-checksum'])
  assert.notEqual(bad.files[0].checksum, sum)
  const seen: string[] = []
  for await (const { event, data } of daemon.events(`${path}/events`)) {
    seen.push(event)
    if (event === 'end') {
      assert.equal((data as { ok: boolean }).ok, false)
      break
    }
  }
  assert.deepEqual(seen, ['file', 'end'])
  await rm(disk)
  assert.equal((await daemon.get(path)).body.files[0].status, 'missing')
})

test('a job without a finished export, and one whose manifest is not its own any more, are refused', async (t) => {
  const { places, daemon, id, manifest } = await exported(t)
  await rm(join(places.control, 'go'))
  const running = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x', options: { overwrite: true } })
  const early = await daemon.get(`/jobs/${running}/verify`)
  assert.deepEqual([early.status, early.body.code], [409, 'JOB_NOT_COMPLETED'])
  await letGo(places.control)
  await daemon.ended(running)
  assert.equal((await daemon.get(`/jobs/${running}/verify`)).body.ok, true)
  const replaced = await daemon.get(`/jobs/${id}/verify`)
  assert.deepEqual([replaced.status, replaced.body.code], [409, 'JOB_EXPORT_REPLACED'])
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replaceAll(checksumOf('1.0.0'), '0'.repeat(64)))
  assert.equal(
    (await daemon.get(`/jobs/${running}/verify`)).body.code,
    'JOB_EXPORT_REPLACED',
    'the job knows its checksum itself',
  )
  await rm(manifest)
  assert.equal((await daemon.get(`/jobs/${running}/verify/events`)).body.code, 'EXPORT_MANIFEST_INVALID')
  assert.equal((await daemon.get('/jobs/nobody/verify')).body.code, 'JOB_UNKNOWN')
})

test('a long file says how far it is, two verifications run at once, and one that nobody watches ends', async (t) => {
  const { daemon, id, disk, manifest } = await exported(t)
  const written = JSON.parse(await readFile(manifest, 'utf8'))
  const bytes = 256 * 1024 ** 3
  const long = { ...written.disks[0], id: 'long', bytes, local_path: `${disk}-long` }
  await writeFile(long.local_path, '')
  await truncate(long.local_path, bytes)
  await writeFile(manifest, JSON.stringify({ ...written, disks: [...written.disks, long] }))
  const path = `/jobs/${id}/verify/events`
  const first = daemon.events(path)
  const second = daemon.events(path)
  for (const stream of [first, second]) {
    assert.equal((await stream.next()).value?.event, 'file')
    const { value } = await stream.next()
    assert.equal(value?.event, 'progress')
    assert.ok(value)
    assert.equal((value.data as { bytes_total: number }).bytes_total, bytes)
  }
  assert.equal((await daemon.get(path)).body.code, 'SERVER_STREAMS_FULL')
  assert.equal((await daemon.get(`/jobs/${id}/verify`)).body.code, 'SERVER_STREAMS_FULL')
  await first.return(undefined)
  await second.return(undefined)
  await daemon.until(async () => {
    const third = daemon.events(path)
    const got = (await third.next()).value !== undefined
    await third.return(undefined)
    return got
  })
})
