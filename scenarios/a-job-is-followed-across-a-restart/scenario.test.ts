import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hypervisord, makePlaces } from '../support/hypervisord.ts'
import { letGo, writeSlowProvider } from '../support/slow-provider.ts'

test('a stream of a job goes on after the line seen last, although the daemon was killed meanwhile', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const first = await Hypervisord.start(places)
  const id = await first.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  let lastId = 0
  const seen: string[] = []
  for await (const { id: eventId, event, data } of first.events(`/jobs/${id}/events`)) {
    lastId = eventId
    if (event === 'log') seen.push((data as { message: string }).message)
    if (event === 'progress' && (data as { progress?: { bytes_downloaded: number } }).progress?.bytes_downloaded) break
  }
  await first.kill()

  const second = await Hypervisord.start(places)
  await letGo(places.control)
  const events: string[] = []
  const later: string[] = []
  for await (const { event, data } of second.events(`/jobs/${id}/events`, lastId)) {
    events.push(event)
    if (event === 'log') later.push((data as { message: string }).message)
  }
  assert.equal(events.at(-1), 'end', 'the stream ends with the job')
  const all = (await second.get(`/jobs/logs/${id}`)).body.logs.map((line: { message: string }) => line.message)
  assert.deepEqual([...seen, ...later], all, 'every line once, in order')
  const again: string[] = []
  for await (const { event } of second.events(`/jobs/${id}/events`, 1_000)) again.push(event)
  assert.deepEqual(again, ['end'], 'of an ended job whose lines were all seen only the end is told')
})

test('more than 64 streams of jobs at once are refused, and one that ends makes room', async (t) => {
  const places = await makePlaces(t, 'plugins: { directories: [./plugins] }\n')
  await writeSlowProvider(join(places.plugins, 'slow'), { version: '1.0.0' })
  const daemon = await Hypervisord.start(places)
  const id = await daemon.submit({ provider: 'slow', vm_id: 'vm/1', output_dir: 'x' })
  const path = `/jobs/${id}/events`
  const streams = Array.from({ length: 64 }, () => daemon.events(path))
  for (const stream of streams) await stream.next()
  const refused = await daemon.get(path)
  assert.deepEqual([refused.status, refused.body.code], [503, 'SERVER_STREAMS_FULL'])
  await letGo(places.control)
  assert.equal((await daemon.ended(id)).status, 'completed')
  for (const stream of streams) for await (const _event of stream);
  assert.equal((await daemon.get(path)).status, 200)
})
