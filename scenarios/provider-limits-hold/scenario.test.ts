import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

const hanging = `listVms: (filter, call) => new Promise((resolve, reject) => {
  call.signal.addEventListener('abort', () => reject(call.signal.reason))
}),
searchVms: () => { throw Object.assign(new Error('try later'), { code: 'SLOW_BUSY', retryable: true }) },
exportVm: async function* () { throw Object.assign(new Error('no such disk'), { code: 'SLOW_NO_DISK' }) },`

test('exports of one provider run as many at once as it is allowed, the others wait their turn', async (t) => {
  const limits = 'providers: { slow: { max_concurrent_exports: 2 } }'
  const places = await makePlaces(t, `plugins: { directories: [./plugins], ${limits} }\n`)
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ provider: 'slow', vm_id: 'vm/1', output_dir: name }))
  const ids: string[] = (await daemon.post('/jobs/submit', jobs)).body.job_ids
  await daemon.until(async () => (await daemon.job(ids[1] ?? '')).progress?.bytes_downloaded > 0)
  const running = (await daemon.get('/jobs/query?status=running')).body.jobs.map(
    (job: { definition: { id: string } }) => job.definition.id,
  )
  assert.deepEqual(running.sort(), ids.slice(0, 2).sort(), 'the oldest two')
  await letGo(places.control)
  for (const id of ids) assert.equal((await daemon.ended(id)).status, 'completed')
})

test('a queue that is full refuses more jobs', async (t) => {
  const places = await makePlaces(
    t,
    'plugins: { directories: [./plugins], providers: { slow: { max_concurrent_exports: 1 } } }\n',
  )
  const text = `exports: { directory: ${places.exports}, max_queued: 2 }`
  await Hypervisord.configure(places, (all) => all.replace(/^exports: .*$/m, text))
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const job = (output_dir: string) => ({ provider: 'slow', vm_id: 'vm/1', output_dir })
  await daemon.submit(job('running'))
  assert.equal((await daemon.post('/jobs/submit', [job('a'), job('b')])).body.accepted, 2)
  const refused = await daemon.post('/jobs/submit', job('c'))
  assert.deepEqual([refused.status, refused.body.code], [429, 'JOB_QUEUE_FULL'])
  assert.equal(refused.headers['retry-after'], '10')
})

test('a call that takes longer than the provider may is ended, and a job that fails says why', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins], providers: { slow: { timeout: 700ms } } }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: hanging })
  const daemon = await Hypervisord.start(places)
  await daemon.get('/api/providers/slow/vms/vm%2F1')
  const late = await daemon.get('/api/providers/slow/vms')
  assert.deepEqual([late.status, late.body.code, late.body.plugin], [504, 'CALL_DEADLINE', 'acme/slow'])

  const failed = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' }))
  assert.deepEqual([failed.status, failed.attempts, failed.failure.plugin], ['failed', 1, 'acme/slow'])
  assert.match(failed.error, /no such disk/)
})

test('a machine that is not there is a 404 that names the instance', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const methods = "getVm: ({ id }) => { throw Object.assign(new Error('no ' + id), { code: 'SLOW_NOT_FOUND' }) },"
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods })
  const daemon = await Hypervisord.start(places)
  const answer = await daemon.get('/api/providers/slow/vms/nope')
  assert.deepEqual([answer.status, answer.body.code, answer.body.plugin], [404, 'PROVIDER_MACHINE_UNKNOWN', 'acme/slow'])
})

test('an export that fails for a passing reason is tried a bounded number of times, visibly', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  const code = "import { PlatformError } from '@backplane/sdk'"
  const methods = `exportVm: async function* () {
  throw new PlatformError('SLOW_BUSY', 'come back later', { retryable: true })
},`
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', code, methods })
  const daemon = await Hypervisord.start(places)
  const job = await daemon.ended(await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' }))
  assert.deepEqual([job.status, job.attempts, job.retries, job.next_attempt_at], ['failed', 3, 2, null])
  assert.match(job.error, /come back later/)
  const lines: string[] = (await daemon.get(`/jobs/logs/${job.definition.id}`)).body.logs.map(
    (line: { message: string }) => line.message,
  )
  assert.equal(lines.filter((line) => /^try \d of 3 failed, the next is due at/.test(line)).length, 2)
})
