import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { writeSlowProvider } from '../support/slow-provider.ts'

const cleaning = `cleanupExport: ({ export_id }) => {
  writeFileSync(config.metadata.directory + '/cleaned-' + export_id, '')
  return null
},`

test('a cancelled export leaves no file, and the plugin is told to clean up', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), {
    version: '1.0.0',
    code: "import { writeFileSync } from 'node:fs'",
    methods: cleaning,
    permissions: ['fs:read ${instances.*.metadata.directory}', 'fs:write ${instances.*.metadata.directory}'],
  })
  const daemon = await Hypervisord.start(places)
  const id = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  await daemon.until(async () => (await daemon.job(id)).progress?.bytes_downloaded > 0)
  const answer = (await daemon.post('/jobs/cancel', { job_ids: [id, 'no-such-job'] })).body
  assert.deepEqual([answer.cancelled, answer.failed], [[id], ['no-such-job']])
  const job = await daemon.ended(id)
  assert.deepEqual([job.status, job.failure.code], ['cancelled', 'JOB_CANCELLED'])
  assert.deepEqual(await readdir(join(places.exports, 'x')).catch(() => []), [])
  assert.ok(existsSync(join(places.control, `cleaned-${id}`)))

  const again = (await daemon.post('/jobs/cancel', { job_ids: [id] })).body
  assert.deepEqual(again.failed, [id])
  assert.match(again.errors[id], /cancelled already/)
  assert.equal(await daemon.stop(), 0)
})

test('a job that is cancelled while it waits never starts', async (t) => {
  const places = await makePlaces(
    t,
    'plugins: { directories: [./plugins], providers: { slow: { max_concurrent_exports: 1 } } }\n',
  )
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const running = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'a' })
  await daemon.until(async () => (await daemon.job(running)).status === 'running')
  // An id may be called like what every object has.
  const waiting = await daemon.submit({ id: 'constructor', provider: 'slow', vm_id: 'vm/1', output_dir: 'b' })
  assert.equal((await daemon.job(waiting)).status, 'pending')
  const { cancelled, failed } = (await daemon.post('/jobs/cancel', { job_ids: [waiting, '__proto__', waiting] })).body
  assert.deepEqual([cancelled, failed], [[waiting], ['__proto__']])
  const job = await daemon.job(waiting)
  assert.deepEqual([job.status, job.attempts], ['cancelled', 0])
})
