import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

const waiting = `listVms: async () => {
  while (existsSync(config.metadata.directory + '/hang')) await new Promise((resolve) => setTimeout(resolve, 10))
  return [machine]
},`

test('kill -9 of a plugin costs the call in it a coded error, and the next call works', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods: waiting })
  const daemon = await Hypervisord.start(places)
  await daemon.get('/api/providers/slow/vms')
  const { pid } = await daemon.plugin('slow')
  assert.notEqual(pid, daemon.child.pid)

  await writeFile(join(places.control, 'hang'), '')
  const hanging = daemon.get('/api/providers/slow/vms')
  await daemon.until(async () => (await daemon.plugin('slow')).counters.active > 0)
  process.kill(pid, 'SIGKILL')
  const answer = await hanging
  assert.ok(answer.status >= 500, answer.text)
  assert.equal(answer.body.code, 'PLUGIN_EXITED')
  assert.equal(answer.body.plugin, 'acme/slow')
  assert.match(answer.body.detail, /SIGKILL/)

  await rm(join(places.control, 'hang'))
  const next = await daemon.get('/api/providers/slow/vms')
  assert.equal(next.status, 200, next.text)
  assert.notEqual((await daemon.plugin('slow')).pid, pid)
})

test('killed again a plugin is left alone for a moment and then takes calls by itself; a third time it is in quarantine', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const worksAgain = (): Promise<void> => daemon.until(async () => (await daemon.get('/api/providers/slow/vms')).status === 200)
  const kill = async (): Promise<void> => {
    const { pid } = await daemon.plugin('slow')
    process.kill(pid, 'SIGKILL')
    await daemon.until(async () => (await daemon.plugin('slow')).pid !== pid)
  }
  await worksAgain()
  await kill()
  await worksAgain()
  await kill()
  assert.equal((await daemon.post('/jobs/submit', { provider: 'slow', vm_id: 'vm/1' })).body.accepted, 1, 'jobs outlast it')
  await worksAgain()
  await kill()
  const { state, reason } = await daemon.plugin('slow')
  assert.equal(state, 'quarantined')
  assert.match(reason, /SIGKILL, again and again/)
  assert.equal((await daemon.get('/api/providers/slow/vms')).body.code, 'PROVIDER_UNAVAILABLE')
  assert.equal((await daemon.post('/api/plugins/slow/reload', {})).status, 200)
  await worksAgain()
})

test('an export whose plugin is killed is tried again by itself and comes out right', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const id = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  await daemon.until(async () => (await daemon.job(id)).progress?.bytes_downloaded > 0)
  process.kill((await daemon.plugin('slow')).pid, 'SIGKILL')
  await daemon.until(async () => (await daemon.job(id)).attempts === 2)
  await letGo(places.control)
  const job = await daemon.ended(id)
  assert.deepEqual([job.status, job.retries, job.result?.checksum], ['completed', 1, checksumOf('1.0.0')])
  const lines = (await daemon.get(`/jobs/logs/${id}`)).body.logs.map((line: { message: string }) => line.message)
  assert.ok(
    lines.some((line: string) => /try 1 of 3 failed/.test(line)),
    lines.join('\n'),
  )
})
