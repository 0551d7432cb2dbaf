import assert from 'node:assert/strict'
import { once } from 'node:events'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { requireProgram } from '@backplane/testing'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

/** Writes until nothing more goes in. */
async function fill(path: string): Promise<void> {
  await using file = await open(path, 'w')
  for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) await file.write(Buffer.alloc(size, 1))
    } catch (error) {
      assert.equal(Reflect.get(error as object, 'code'), 'ENOSPC')
    }
  }
}

test('while the data volume is full jobs are refused with a code and none is lost; with space again all goes on', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const data = join(places.root, 'data')
  const sandbox = ['bwrap', '--die-with-parent', '--bind', '/', '/', '--dev', '/dev', '--size', String(16 * 1024 * 1024)]
  const daemon = await Hypervisord.start(places, {}, [...sandbox, '--tmpfs', data])
  const { pid: monitor } = daemon.child
  const pid = Number((await readFile(`/proc/${monitor}/task/${monitor}/children`, 'utf8')).trim())
  const filling = join(`/proc/${pid}/root`, data, 'filling')
  const job = (output_dir: string): Record<string, unknown> => ({ provider: 'slow', vm_id: 'vm/1', output_dir })

  const running = await daemon.submit(job('running'))
  await daemon.until(async () => (await daemon.job(running)).progress?.bytes_downloaded > 0)
  await fill(filling)
  const accepted = [running]
  let refused = { status: 0, body: { code: '', hint: '' } }
  // The log of the database may have room for some more.
  await daemon.until(async () => {
    const answer = await daemon.post('/jobs/submit', job(`job-${accepted.length}`))
    if (answer.status === 202) accepted.push(...answer.body.job_ids)
    refused = answer
    return answer.status !== 202
  })
  // What comes first: the audit log has nowhere to write that somebody asked, or the job nowhere to be kept.
  assert.equal(refused.status, 503)
  assert.match(refused.body.code, /^(?:AUDIT_UNWRITABLE|JOB_STORE_FAILED)$/)
  assert.match(refused.body.hint, /Free space/)
  await letGo(places.control)
  await daemon.until(async () => /"JOB_STORE_FAILED"|cannot be written/.test(daemon.output))
  for (const id of accepted) assert.equal((await daemon.get(`/jobs/${id}`)).status, 200)
  assert.equal((await daemon.get('/healthz')).status, 200)
  assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)

  await rm(filling)
  for (const id of accepted) {
    const { status, result, error } = await daemon.ended(id)
    assert.deepEqual([status, result?.checksum], ['completed', checksumOf('1.0.0')], error)
  }
  await daemon.until(async () => (await daemon.post('/jobs/submit', { ...job('after'), id: 'after' })).status === 202)
  assert.equal((await daemon.ended('after')).status, 'completed')
  const exited = once(daemon.child, 'exit')
  process.kill(pid, 'SIGTERM')
  await exited
  assert.equal(daemon.child.exitCode, 0, daemon.output)
})
