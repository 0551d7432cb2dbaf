import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

const job = (output_dir: string) => ({ provider: 'slow', vm_id: 'vm/1', output_dir })

test('jobs come as one, as a list and under jobs, in JSON and YAML, and each wrong one is told by its place', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  await letGo(places.control)
  const daemon = await Hypervisord.start(places)

  const one = await daemon.post('/jobs/submit', { id: 'mine', ...job('a') })
  assert.deepEqual([one.status, one.body.job_ids, one.body.errors], [202, ['mine'], undefined])
  assert.equal((await daemon.post('/jobs/submit', { jobs: [job('b'), job('c')] })).body.accepted, 2)
  assert.equal((await daemon.post('/jobs/submit', [job('d')])).body.accepted, 1)
  const yaml = 'jobs:\n  - provider: slow\n    vm_path: vm/1\n    output_path: e\n    format: RAW\n    export_method: web\n'
  const fromYaml = await daemon.send('POST', '/jobs/submit', { text: yaml, type: 'application/yaml' })
  assert.equal(fromYaml.status, 202, fromYaml.text)
  const ended = await daemon.ended(fromYaml.body.job_ids[0])
  assert.equal(ended.status, 'completed', ended.error)
  const { vm_id, vm_path, output_dir, output_path } = ended.definition
  assert.deepEqual([vm_path, output_path, output_dir], [vm_id, output_dir, join(places.exports, 'e')], 'both names are answered')
  const log = (await daemon.get(`/jobs/logs/${ended.definition.id}`)).body.logs
  assert.equal(log[0].level, 'warn')
  assert.match(log[0].message, /^export_method has no effect/)

  await mkdir(join(places.exports, 'inside'))
  await symlink('/etc', join(places.exports, 'inside/link'))
  const wrong: readonly (readonly [value: unknown, code: string, text: RegExp])[] = [
    [{ ...job('x'), vm_pth: 'y' }, 'JOB_INVALID', /vm_pth: unknown key; did you mean "vm_path"\?/],
    [{ ...job('x'), options: { overwite: true } }, 'JOB_INVALID', /options\.overwite: unknown key; did you mean "overwrite"\?/],
    [{ provider: 'slow' }, 'JOB_INVALID', /vm_id: names the machine/],
    [{ ...job('x'), vm_path: 'other' }, 'JOB_INVALID', /vm_path: says something else than vm_id/],
    [{ ...job('x'), provider: 'slw' }, 'PROVIDER_UNKNOWN', /did you mean "slow"\?/],
    [{ vm_id: 'vm/1' }, 'JOB_INVALID', /provider: is missing: give it a text/],
    [{ ...job('x'), provider: 'digitalocean' }, 'JOB_EXPORT_UNSUPPORTED', /API offers no download of images/],
    [{ ...job('x'), format: 'qcow2' }, 'JOB_FORMAT_UNSUPPORTED', /only raw/],
    [{ ...job('x'), options: { include_snapshots: true } }, 'JOB_SNAPSHOTS_UNSUPPORTED', /snapshots/],
    [{ ...job('x'), password: 'p' }, 'JOB_CREDENTIALS_IN_JOB', /password/],
    [job('/etc'), 'JOB_TARGET_FORBIDDEN', /\/etc/],
    [job('inside/link/x'), 'JOB_TARGET_FORBIDDEN', /link/],
    [job('s3://bucket/x'), 'JOB_TARGET_UNSUPPORTED', /s3:/],
    [{ id: 'mine', ...job('x') }, 'JOB_EXISTS', /mine/],
    [{ id: 'query', ...job('x') }, 'JOB_INVALID', /id: is a route of the API/],
    ['text', 'JOB_INVALID', /keys with values, not a text/],
  ]
  const mixed = await daemon.post('/jobs/submit', [job('last'), ...wrong.map(([value]) => value)])
  assert.deepEqual([mixed.status, mixed.body.accepted, mixed.body.rejected], [202, 1, wrong.length])
  for (const [index, [, code, text]] of wrong.entries()) {
    const error = mixed.body.errors[index]
    assert.deepEqual([error.index, error.code], [index + 1, code])
    assert.match(error.error, text)
  }
  assert.equal((await daemon.post('/jobs/submit', [3])).status, 400)
  const repeated = { text: JSON.stringify(job('repeated')), headers: { 'idempotency-key': 'k1' } }
  const [once, again] = await Promise.all([1, 2].map(() => daemon.send('POST', '/jobs/submit', repeated)))
  assert.deepEqual(once?.body.job_ids, again?.body.job_ids, 'a repeated submission with the same key is done once')
  const large = { text: `name: "${'x'.repeat(300_000)}"`, type: 'application/yaml' }
  const refusals = await Promise.all(Array.from({ length: 10 }, () => daemon.send('POST', '/jobs/submit', large)))
  assert.deepEqual(new Set(refusals.map(({ status, body }) => `${status} ${body.code}`)), new Set(['413 JOB_BODY_TOO_LARGE']))
  assert.match(refusals[0]?.body.hint, /JSON, which may be larger/)
  const empty = await daemon.post('/jobs/submit', { jobs: [] })
  assert.deepEqual([empty.status, empty.body.code], [400, 'JOB_BODY_INVALID'])
  const refused = await daemon.send('POST', '/jobs/submit', { text: '{}', type: 'text/plain' })
  const nowhere = await daemon.get('/nowhere')
  assert.deepEqual([refused.status, nowhere.status], [415, 404])
  const got = await Promise.all(['submit', 'cancel', 'submitted'].map((name) => daemon.get(`/jobs/${name}`)))
  assert.deepEqual(
    got.map(({ body }) => [body.code, body.details?.allow]),
    [
      ['SERVER_METHOD_REFUSED', 'POST'],
      ['SERVER_METHOD_REFUSED', 'POST'],
      ['JOB_UNKNOWN', undefined],
    ],
    'fixed routes are no jobs',
  )
  for (const { body } of [empty, refused, nowhere]) {
    assert.deepEqual([body.error, typeof body.timestamp], [body.detail, 'string'], 'older clients read error and timestamp')
  }
})

test('jobs are queried by id and status in both ways, and single ones in all views', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const id = await daemon.submit({ id: 'a', ...job('a') })
  await daemon.until(async () => (await daemon.job(id)).progress?.bytes_downloaded > 0)

  assert.equal((await daemon.get('/jobs/query?status=running&limit=1')).body.total, 1)
  assert.equal((await daemon.get('/jobs/query?status=completed,failed')).body.total, 0)
  assert.equal((await daemon.post('/jobs/query', { job_ids: ['a', 'b'], status: ['running'] })).body.jobs[0].definition.id, 'a')
  assert.equal((await daemon.get('/jobs/query?all=true&status=completed')).body.total, 1)
  const wrong = await daemon.get('/jobs/query?stauts=running')
  assert.deepEqual([wrong.status, wrong.body.code], [400, 'REQUEST_INVALID'])
  assert.match(wrong.body.detail, /stauts: unknown key; did you mean "status"\?/)

  const progress = (await daemon.get('/jobs/progress/a')).body
  assert.deepEqual([progress.job_id, progress.status, progress.total_bytes], ['a', 'running', 2 * 1024 * 1024])
  const eta = (await daemon.get('/jobs/eta/a')).body
  assert.deepEqual([eta.job_id, eta.status], ['a', 'running'])
  for (const path of ['/jobs/b', '/jobs/progress/b', '/jobs/logs/b', '/jobs/eta/b', '/jobs/b/events']) {
    const answer = await daemon.get(path)
    assert.deepEqual([answer.status, answer.body.code], [404, 'JOB_UNKNOWN'], path)
  }
  const status = (await daemon.get('/status')).body
  assert.deepEqual([status.total_jobs, status.running_jobs], [1, 1])
  assert.equal((await daemon.get('/health')).body.status, 'healthy')
  const capabilities = (await daemon.get('/capabilities')).body
  assert.deepEqual([capabilities.default_method, capabilities.capabilities.slow.version], ['slow', '1.0.0'])
  assert.equal(capabilities.capabilities.digitalocean.available, false, 'it exports no format')
  const document = (await daemon.get('/openapi.json')).body
  for (const path of ['/jobs/submit', '/jobs/{id}/events', '/api/providers', '/api/plugins/{id}', '/healthz']) {
    assert.ok(document.paths[path] !== undefined, path)
  }
  const refusals = document.paths['/jobs/submit'].post.responses[400].content
  assert.deepEqual(Object.keys(refusals), ['application/json', 'application/problem+json'])
  const machine = await daemon.get('/api/providers/nowhere/vms/x')
  assert.deepEqual([machine.status, machine.body.code], [404, 'PROVIDER_UNKNOWN'])
})
