import assert from 'node:assert/strict'
import { mkdir, rename, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

test('a data directory that is moved away or replaced is told, refuses jobs by a code, and loses none once it is back', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const data = join(places.root, 'data')
  const aside = join(places.root, 'aside')
  const job = (output_dir: string): Record<string, unknown> => ({ provider: 'slow', vm_id: 'vm/1', output_dir })
  const problems = async (): Promise<string> => (await daemon.get('/api/system')).body.problems.join('; ')
  const running = await daemon.submit(job('running'))
  await daemon.until(async () => (await daemon.job(running)).progress?.bytes_downloaded > 0)
  assert.equal(await problems(), '')

  await rename(data, aside)
  await daemon.until(async () => (await daemon.get('/readyz')).status === 503)
  assert.deepEqual((await daemon.get('/readyz')).body.reasons, ['the data directory cannot be used'])
  assert.match(await problems(), /^the data directory .*\/data was removed; bring it back/)
  assert.equal((await daemon.get('/healthz')).status, 200)
  const refused = await daemon.post('/jobs/submit', job('refused'))
  assert.deepEqual([refused.status, refused.body.code], [503, 'AUDIT_UNWRITABLE'])
  assert.match(refused.text, /was removed while it was in use/)
  assert.equal((await daemon.job(running)).status, 'running')

  await mkdir(data)
  await daemon.until(async () => (await problems()).includes('was replaced by another one'))
  await letGo(places.control)
  await daemon.until(async () => (await daemon.job(running)).status === 'pending')
  await rmdir(data)

  await rename(aside, data)
  await daemon.until(async () => (await daemon.get('/readyz')).status === 200)
  assert.equal(await problems(), '')
  const ended = await daemon.ended(running)
  assert.deepEqual([ended.status, ended.result?.checksum], ['completed', checksumOf('1.0.0')], ended.error)
  await daemon.until(async () => (await daemon.post('/jobs/submit', { ...job('after'), id: 'after' })).status === 202)
  assert.equal((await daemon.ended('after')).status, 'completed')
  assert.match(daemon.output, /the data directory was removed/)
  assert.match(daemon.output, /can be used again/)
  assert.equal(await daemon.stop(), 0)
  const next = await Hypervisord.start(places)
  assert.equal((await next.job('after')).status, 'completed')
})
