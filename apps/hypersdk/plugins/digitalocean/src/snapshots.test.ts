import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openProvider } from '@hypersdk/points/testing'
import { dropletApi } from './fixtures/droplet-api.ts'
import plugin from './index.ts'

const old = {
  id: 6372321,
  name: 'web-01',
  created_at: '2020-07-28T16:47:44Z',
  regions: ['nyc3'],
  min_disk_size: 25,
  size_gigabytes: 2.34,
  type: 'snapshot',
}
const fresh = { ...old, id: 6372399, created_at: '2026-01-01T00:00:00Z' }

/** An account with one droplet, 7, whose snapshot action needs `polls` looks and ends as `status`. */
async function account(t: Parameters<typeof dropletApi>[0], { polls, status }: { polls: number; status: string }) {
  let left = polls
  const snapshots: object[] = [old]
  const api = await dropletApi(t, ({ method, url, body }) => {
    if (url === '/v2/droplets/7/snapshots?per_page=200')
      return { json: { snapshots, links: {}, meta: { total: snapshots.length } } }
    if (method === 'DELETE') return { status: 204 }
    if (method === 'POST') assert.deepEqual(body, { type: 'snapshot', name: 'web-01' })
    else left -= 1
    const done = left <= 0
    if (done && status === 'completed' && !snapshots.includes(fresh)) snapshots.unshift(fresh)
    return {
      status: method === 'POST' ? 201 : 200,
      json: { action: { id: 36804636, status: done ? status : 'in-progress', type: 'snapshot' } },
    }
  })
  const provider = await openProvider(plugin, { endpoint: api.origin, metadata: { token: 't', poll_ms: 1 } })
  return { api, provider }
}

test('the snapshots of a droplet are listed, oldest first', async (t) => {
  const { provider } = await account(t, { polls: 0, status: 'completed' })
  assert.deepEqual(await provider.unary('listSnapshots', { id: '7' }), [
    {
      id: '6372321',
      name: 'web-01',
      created_at: '2020-07-28T16:47:44Z',
      size_gb: 2.34,
      metadata: { regions: ['nyc3'], min_disk_size: 25 },
    },
  ])
})

test('a snapshot is answered once DigitalOcean has it, and is not mistaken for an older one of the same name', async (t) => {
  const { provider, api } = await account(t, { polls: 3, status: 'completed' })
  const made = (await provider.unary('createSnapshot', { id: '7', name: 'web-01' })) as { id: string }
  assert.equal(made.id, '6372399')
  assert.equal(api.seen.filter((one) => one.method === 'POST').length, 1)
  assert.equal(api.seen.filter((one) => one.url === '/v2/droplets/7/actions/36804636').length, 3)
})

test('a snapshot that DigitalOcean gives up is an error', async (t) => {
  const { provider } = await account(t, { polls: 1, status: 'errored' })
  await assert.rejects(provider.unary('createSnapshot', { id: '7', name: 'web-01' }), { code: 'DIGITALOCEAN_ACTION_FAILED' })
})

test('waiting for a snapshot ends when the call is cancelled', async (t) => {
  const { provider, api } = await account(t, { polls: Infinity, status: 'completed' })
  const cancel = new AbortController()
  const made = provider.unary('createSnapshot', { id: '7', name: 'web-01' }, cancel.signal)
  made.catch(() => undefined)
  while (api.seen.length < 5) await new Promise(setImmediate)
  cancel.abort(new Error('enough'))
  await assert.rejects(made, /enough/)
})

test('only a snapshot of the droplet itself is deleted', async (t) => {
  const { provider, api } = await account(t, { polls: 0, status: 'completed' })
  await assert.rejects(provider.unary('deleteSnapshot', { id: '7', snapshot_id: '1' }), { code: 'DIGITALOCEAN_NOT_FOUND' })
  assert.equal(await provider.unary('deleteSnapshot', { id: '7', snapshot_id: '6372321' }), null)
  assert.deepEqual(
    api.seen.filter((one) => one.method === 'DELETE').map((one) => one.url),
    ['/v2/snapshots/6372321'],
  )
})

test('an action the API does not describe is an error', async (t) => {
  const api = await dropletApi(t, ({ method }) => ({ json: method === 'POST' ? { done: true } : { snapshots: [] } }))
  const provider = await openProvider(plugin, { endpoint: api.origin, metadata: { token: 't' } })
  await assert.rejects(provider.unary('createSnapshot', { id: '7', name: 'x' }), { code: 'DIGITALOCEAN_ANSWER_INVALID' })
})
