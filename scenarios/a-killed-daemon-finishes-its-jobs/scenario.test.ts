import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, isAlive, makePlaces } from '../support/hypervisord.ts'
import { blockBytes, checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

test('after kill -9 of the daemon no plugin process survives, and the next daemon finishes the job', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const first = await Hypervisord.start(places)
  const id = await first.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  await first.until(async () => (await first.job(id)).progress?.bytes_downloaded > 0)
  const { pid } = await first.plugin('slow')
  await first.kill()
  await first.until(async () => !(await isAlive(pid)))

  const run = join(places.root, 'data/run')
  const abandoned = await readdir(run)
  const second = await Hypervisord.start(places)
  assert.ok(abandoned.length > 0)
  const kept = (await readdir(run)).filter((name) => abandoned.includes(name))
  assert.deepEqual(kept, [], 'what the killed daemon had laid out for its plugins is gone')
  await letGo(places.control)
  const job = await second.ended(id)
  assert.deepEqual([job.status, job.attempts, job.crashes], ['completed', 2, 1])
  assert.equal(job.result.checksum, checksumOf('1.0.0'))
  const left = await readdir(join(places.exports, 'x'))
  assert.ok(
    left.every((name) => !name.includes('partial')),
    left.join(' '),
  )
  const seen = (await second.get(`/jobs/logs/${id}`)).body.logs.map((line: { message: string }) => line.message)
  assert.ok(seen.some((line: string) => /daemon died/.test(line)))
  assert.equal(await second.stop(), 0)
})

test('a job the daemon keeps dying at is given up with its reason and leaves nothing', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  let id = ''
  for (let deaths = 0; deaths < 3; deaths++) {
    const daemon = await Hypervisord.start(places)
    id ||= await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
    await daemon.until(
      async () => (await daemon.job(id)).attempts === deaths + 1 && (await daemon.job(id)).progress?.bytes_downloaded > 0,
    )
    await daemon.kill()
  }
  const daemon = await Hypervisord.start(places)
  const job = await daemon.ended(id)
  assert.deepEqual([job.status, job.failure.code, job.attempts], ['failed', 'JOB_CRASH_LOOP', 3])
  assert.deepEqual(await readdir(join(places.exports, 'x')).catch(() => []), [])
  assert.equal(await daemon.stop(), 0)
})

/** Sends what it is asked for and no more, a mebibyte at a time, and waits for `go` in the middle of its disk. */
const steady = `exportVm: async function* (request, call) {
  const pieces = 40
  const size = pieces * ${blockBytes}
  const begin = (request.resume ?? []).find(({ etag }) => etag === version)?.offset_bytes ?? 0
  yield { kind: 'disk', disk: 'disk0', format: 'raw', size_bytes: size, etag: version, from_bytes: begin }
  for (let offset = begin; offset < size; offset += ${blockBytes}) {
    while (offset >= size / 2 && !existsSync(config.metadata.directory + '/go')) {
      call.signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await new Promise((resolve) => setTimeout(resolve, 40))
    yield { kind: 'bytes', disk: 'disk0', offset, bytes: new Uint8Array(${blockBytes}).fill(offset / ${blockBytes}) }
  }
},`

test('after kill -9 in the middle of an export the next daemon goes on where it was, and the checksum is right', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: steady })
  const first = await Hypervisord.start(places)
  const id = await first.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  await first.until(async () => {
    const names = await readdir(join(places.exports, 'x')).catch(() => [])
    return names.some((name) => name.includes('.journal.json.partial-') && !name.includes('.next.'))
  })
  await first.kill()
  await letGo(places.control)
  const second = await Hypervisord.start(places)
  const job = await second.ended(id)
  const { logs } = (await second.get(`/jobs/logs/${id}`)).body
  const wentOn = logs.find(({ message }: { message: string }) => message.startsWith('going on with'))
  assert.ok(wentOn?.fields.offset_bytes > 0, JSON.stringify([job, logs]))
  const hash = createHash('sha256')
  for (let piece = 0; piece < 40; piece += 1) hash.update(Buffer.alloc(blockBytes, piece))
  assert.deepEqual([job.status, job.attempts, job.result?.checksum], ['completed', 2, hash.digest('hex')])
  const file = job.result.files.find((path: string) => path.endsWith('.raw'))
  assert.equal(execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64), job.result.checksum)
  assert.equal(await second.stop(), 0)
})
