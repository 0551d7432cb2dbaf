import type { Call } from '@backplane/sdk'
import type { Snapshot } from '@hypersdk/points'
import { isObject, type ApiClient, type Json } from './api-client.ts'
import { dropletId } from './droplet.ts'
import { digitalOceanErrors } from './errors.ts'
import { pause } from './retry.ts'

/** The snapshots of one droplet, oldest first. Errors: `DIGITALOCEAN_NOT_FOUND`. */
export async function listSnapshots(api: ApiClient, id: string, call: Call): Promise<Snapshot[]> {
  const found = await api.list(`/v2/droplets/${dropletId(id)}/snapshots?per_page=200`, 'snapshots', call)
  return found.map(readSnapshot).sort((a, b) => ((a.created_at ?? '') < (b.created_at ?? '') ? -1 : 1))
}

/**
 * Takes a snapshot and waits until DigitalOcean has it, which takes minutes; a call that ends earlier leaves
 * DigitalOcean at work. Errors: `DIGITALOCEAN_ACTION_FAILED`.
 */
export async function createSnapshot(
  api: ApiClient,
  wanted: { readonly id: string; readonly name: string; readonly pollMs: number },
  call: Call,
): Promise<Snapshot> {
  const id = dropletId(wanted.id)
  const before = new Set((await listSnapshots(api, id, call)).map((snapshot) => snapshot.id))
  const body = { type: 'snapshot', name: wanted.name }
  const path = `/v2/droplets/${id}/actions`
  let action = actionOf(await api.request({ method: 'POST', path, body, what: `droplet ${id}` }, call))
  while (action['status'] === 'in-progress') {
    call.progress(0, undefined, 'snapshot')
    await pause(wanted.pollMs, call.signal)
    const one = `/v2/droplets/${id}/actions/${Number(action['id'])}`
    action = actionOf(await api.request({ method: 'GET', path: one, what: `action ${Number(action['id'])}` }, call))
  }
  const made = (await listSnapshots(api, id, call)).findLast(({ id: one, name }) => name === wanted.name && !before.has(one))
  if (action['status'] === 'completed' && made !== undefined) return made
  throw digitalOceanErrors.error('DIGITALOCEAN_ACTION_FAILED', { action: 'snapshot', id })
}

/** Deletes a snapshot of this droplet; of another one it is not found. */
export async function deleteSnapshot(api: ApiClient, unwanted: { id: string; snapshot_id: string }, call: Call): Promise<void> {
  const { id, snapshot_id: snapshot } = unwanted
  const known = await listSnapshots(api, id, call)
  const what = `snapshot ${snapshot} of droplet ${id}`
  if (!known.some((one) => one.id === snapshot)) throw digitalOceanErrors.error('DIGITALOCEAN_NOT_FOUND', { what })
  await api.request({ method: 'DELETE', path: `/v2/snapshots/${encodeURIComponent(snapshot)}`, what }, call)
}

function actionOf(answer: Json): Json {
  const action = answer['action']
  if (isObject(action) && Number.isSafeInteger(action['id'])) return action
  throw digitalOceanErrors.error('DIGITALOCEAN_ANSWER_INVALID', {
    request: 'an action',
    reason: 'it has no action',
    endpoint: 'the endpoint',
  })
}

function readSnapshot(snapshot: Json): Snapshot {
  const { id, name, created_at: created, size_gigabytes: size } = snapshot
  return {
    id: String(id),
    name: typeof name === 'string' ? name : String(id),
    created_at: typeof created === 'string' ? created : null,
    size_gb: typeof size === 'number' && size >= 0 ? size : 0,
    metadata: { regions: snapshot['regions'] ?? [], min_disk_size: snapshot['min_disk_size'] ?? null },
  }
}
