import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, describe, test } from 'node:test'
import { Hypervisord, isAlive, makePlaces, type Places } from '../support/hypervisord.ts'
import { checksumOf, letGo, writeSlowProvider } from '../support/slow-provider.ts'

async function startSlow(t: TestContext, methods = '', { drain = '20s' } = {}): Promise<{ places: Places; daemon: Hypervisord }> {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await Hypervisord.configure(places, (text) => text.replace('drain_timeout: 20s', `drain_timeout: ${drain}`))
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0', methods })
  return { places, daemon: await Hypervisord.start(places) }
}

/** Submits an export and waits until its first bytes have come. */
async function submitAndBegin(daemon: Hypervisord): Promise<string> {
  const id = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  await daemon.until(async () => (await daemon.job(id)).progress?.bytes_downloaded > 0)
  return id
}

// Each has a daemon of its own, and waits more than it works.
describe('a stopping daemon', { concurrency: 3 }, () => {
  test('a stopping daemon lets a running export end, takes no new job, and exits 0', async (t) => {
    const { places, daemon } = await startSlow(t)
    const id = await submitAndBegin(daemon)
    const stopped = daemon.stop()
    await daemon.until(async () => (await daemon.get('/readyz')).status === 503)
    const refused = await daemon.post('/jobs/submit', { provider: 'slow', vm_id: 'vm/1' })
    assert.deepEqual([refused.status, refused.body.code], [503, 'JOB_NOT_ACCEPTING'])
    const lastSeen = (async () => {
      let last: string | undefined
      for await (const { event } of daemon.events(`/jobs/${id}/events`)) last = event
      return last
    })()
    await letGo(places.control)
    assert.equal(await stopped, 0)
    assert.equal(await lastSeen, 'end', 'who watches is told the end before the daemon goes')
    const next = await Hypervisord.start(places)
    assert.deepEqual([(await next.job(id)).status, (await next.job(id)).attempts], ['completed', 1])
  })

  test('the same signal twice at once, as npm passes it on, is one request to stop', async (t) => {
    const { places, daemon } = await startSlow(t)
    const id = await submitAndBegin(daemon)
    daemon.child.kill('SIGINT')
    const stopped = daemon.stop('SIGINT')
    await daemon.until(async () => (await daemon.get('/readyz')).status === 503)
    await letGo(places.control)
    assert.equal(await stopped, 0)
    assert.doesNotMatch(daemon.output, /stopping at once/)
    const next = await Hypervisord.start(places)
    assert.deepEqual([(await next.job(id)).status, (await next.job(id)).attempts], ['completed', 1])
  })

  test('an export that is not done at the drain deadline goes on with the next daemon', async (t) => {
    const { places, daemon } = await startSlow(t)
    const id = await submitAndBegin(daemon)
    const stopped = daemon.stop()
    await daemon.until(async () => (await daemon.get('/readyz')).status === 503)
    // The second signal asks to hurry: it is the deadline, now.
    assert.equal(await daemon.stop('SIGINT'), 0)
    assert.equal(await stopped, 0)

    const next = await Hypervisord.start(places)
    await letGo(places.control)
    const job = await next.ended(id)
    assert.deepEqual([job.status, job.attempts, job.crashes, job.retries], ['completed', 2, 0, 0])
    assert.equal(job.result.checksum, checksumOf('1.0.0'))
    assert.equal(await next.stop(), 0)
  })

  test('a plugin whose close never ends cannot keep the daemon from stopping', async (t) => {
    const { daemon } = await startSlow(t, 'close: () => new Promise(() => undefined),')
    assert.equal((await daemon.get('/api/providers/slow/vms')).status, 200)
    const { pid } = await daemon.plugin('slow')
    assert.equal(await daemon.stop(), 0)
    assert.ok(!(await isAlive(pid)))
  })

  test('the second signal ends the daemon whatever its plugins do, and the job goes on with the next one', async (t) => {
    const forever = 'new Promise(() => undefined)'
    const deaf = `exportVm: async function* (request) {
    for await (const item of exportVm(request, { signal: new AbortController().signal, progress: () => {} }, config.metadata.directory)) yield item
  }, cleanupExport: () => ${forever}, close: () => ${forever},`
    const { places, daemon } = await startSlow(t, deaf)
    const id = await submitAndBegin(daemon)
    const { pid } = await daemon.plugin('slow')
    const stopped = daemon.stop()
    await daemon.until(async () => (await daemon.get('/readyz')).status === 503)
    assert.equal(await daemon.stop('SIGINT'), 0)
    await stopped
    await daemon.until(async () => !(await isAlive(pid)))

    await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.1' })
    const next = await Hypervisord.start(places)
    const lines = (await next.get(`/jobs/logs/${id}`)).body.logs.map((line: { message: string }) => line.message)
    assert.ok(
      lines.some((line: string) => line.startsWith('left because the daemon stops at once')),
      lines.join('\n'),
    )
    assert.ok(
      !lines.some((line: string) => line.startsWith('could not clean up')),
      'the limit of the clean-up was not waited for',
    )
    await letGo(places.control)
    const job = await next.ended(id)
    assert.deepEqual([job.status, job.attempts, job.crashes, job.retries], ['completed', 2, 0, 0])
    assert.equal(await next.stop(), 0)
  })

  const endless = 'for (;;) {}'
  for (const [where, methods, use] of [
    [
      'an export',
      `exportVm: async function* (request, call) {
      yield* firstBlock()
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
      ${endless}
    },`,
      submitAndBegin,
    ],
    ['its close', `close: () => { ${endless} },`, (daemon: Hypervisord) => daemon.get('/api/providers/slow/vms')],
  ] as const) {
    test(`a plugin in an endless loop in ${where} is cut off soon after the drain limit, and named`, async (t) => {
      const { places, daemon } = await startSlow(t, methods, { drain: '100ms' })
      await use(daemon)
      const { pid } = await daemon.plugin('slow')
      assert.equal(await daemon.stop(), 0)
      const line = daemon.output.split('\n').find((one) => one.includes('without waiting any longer')) ?? '{}'
      assert.deepEqual(JSON.parse(line).plugins, ['acme/slow'], daemon.output)
      await daemon.until(async () => !(await isAlive(pid)))
      await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.1' })
      const next = await Hypervisord.start(places)
      await letGo(places.control)
      const { jobs } = (await next.get('/jobs/query?all=true')).body
      for (const { definition } of jobs) {
        const { status, crashes } = await next.ended(definition.id)
        assert.deepEqual([status, crashes], ['completed', 0])
      }
    })
  }
})
