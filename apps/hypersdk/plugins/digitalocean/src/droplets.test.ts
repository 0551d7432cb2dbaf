import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openProvider, type OpenedProvider } from '@hypersdk/points/testing'
import { dropletApi, exampleDroplet, type ApiAnswer, type DropletApi, type SeenRequest } from './fixtures/droplet-api.ts'
import plugin from './index.ts'

async function opened(
  t: TestContext,
  answer: (request: SeenRequest, origin: string) => ApiAnswer | 'hang',
  config: object = {},
): Promise<{ provider: OpenedProvider; api: DropletApi }> {
  const api = await dropletApi(t, answer)
  return { api, provider: await openProvider(plugin, { endpoint: api.origin, metadata: { token: 'dop_v1_secret' }, ...config }) }
}

test('a droplet becomes a machine with its region, size, addresses and tags', async (t) => {
  const { provider, api } = await opened(t, () => ({ json: { droplet: exampleDroplet } }))
  assert.deepEqual(await provider.getVm('3164444'), {
    provider: 'digitalocean',
    id: '3164444',
    name: 'example.com',
    state: 'running',
    location: 'nyc3',
    power_state: 'active',
    guest_os: 'Ubuntu 20.04 (LTS) x64',
    memory_mb: 1024,
    num_cpus: 1,
    storage_gb: 25,
    ip_addresses: ['192.241.165.154', '2604:a880:0:1010::18a:a001', '10.128.192.124'],
    tags: { web: '', env: 'prod' },
    metadata: {
      size: 's-1vcpu-1gb',
      image: { id: 63663980, slug: 'ubuntu-20-04-x64', name: '20.04 (LTS) x64' },
      locked: false,
      features: ['backups', 'private_networking', 'ipv6'],
      volume_ids: [],
      vpc_uuid: '760e09ef-dc84-11e8-981e-3cfdfeaae000',
    },
    created_at: '2020-07-21T18:37:44Z',
    updated_at: null,
  })
  assert.deepEqual(api.seen, [
    { method: 'GET', url: '/v2/droplets/3164444', authorization: 'Bearer dop_v1_secret', body: undefined },
  ])
})

test('a droplet that leaves almost everything out is still a machine', async (t) => {
  const sparse = {
    id: 7,
    image: null,
    networks: { v4: null },
    region: null,
    tags: null,
    status: 'moving',
    memory: '1024',
    disk: -1,
  }
  const { provider } = await opened(t, () => ({ json: { droplet: sparse } }))
  const machine = await provider.getVm('7')
  assert.deepEqual(
    [machine.name, machine.state, machine.location, machine.memory_mb, machine.storage_gb],
    ['', 'unknown', '', 0, 0],
  )
  assert.deepEqual([machine.ip_addresses, machine.tags, machine.created_at], [[], {}, null])
})

test('a list follows its pages to the end', async (t) => {
  const { provider, api } = await opened(t, ({ url }, origin) => {
    const page = Number(new URL(url, origin).searchParams.get('page') ?? 1)
    const next = page < 3 ? { next: `${origin}/v2/droplets?page=${page + 1}&per_page=200`, last: 'x' } : { first: 'x', prev: 'x' }
    return { json: { droplets: [{ ...exampleDroplet, id: page }], links: { pages: next }, meta: { total: 3 } } }
  })
  assert.deepEqual(
    (await provider.listVms()).map((vm) => vm.id),
    ['1', '2', '3'],
  )
  assert.equal(api.seen.length, 3)
})

test('a wanted tag is asked for at the API', async (t) => {
  const { provider, api } = await opened(t, () => ({ json: { droplets: [], links: {}, meta: { total: 0 } } }))
  await provider.unary('listVms', { tags: { env: 'prod', web: '' } })
  assert.equal(api.seen[0]?.url, '/v2/droplets?per_page=200&tag_name=env%3Aprod')
})

test('a search looks at names, addresses and tags', async (t) => {
  const { provider } = await opened(t, () => ({ json: { droplets: [exampleDroplet], links: {} } }))
  for (const query of ['EXAMPLE', '192.241', 'prod']) {
    assert.equal(((await provider.unary('searchVms', { query })) as unknown[]).length, 1, query)
  }
  assert.deepEqual(await provider.unary('searchVms', { query: 'other' }), [])
})

for (const [name, next] of [
  ['another host', 'https://evil.example/v2/droplets?page=2'],
  ['another port', 'http://127.0.0.1:1/v2/droplets?page=2'],
  ['another protocol', 'file:///etc/passwd'],
  ['no URL', 'page 2'],
  ['a number', 2],
] as const) {
  test(`a next page at ${name} is refused and never asked`, async (t) => {
    const elsewhere = await dropletApi(t, () => ({ json: { droplets: [] } }))
    const link = name === 'another port' ? `${elsewhere.origin}/v2/droplets?page=2` : next
    const { provider, api } = await opened(t, () => ({ json: { droplets: [], links: { pages: { next: link } } } }))
    await assert.rejects(provider.listVms(), { code: 'DIGITALOCEAN_ANSWER_INVALID' })
    assert.deepEqual([api.seen.length, elsewhere.seen.length], [1, 0])
  })
}

test('pages that lead back to an earlier one are refused', async (t) => {
  const { provider, api } = await opened(t, ({ url }, origin) => ({
    json: { droplets: [], links: { pages: { next: origin + url } } },
  }))
  await assert.rejects(provider.listVms(), { code: 'DIGITALOCEAN_ANSWER_INVALID', message: /do not end/ })
  assert.equal(api.seen.length, 1)
})

test('a redirect is not followed, so the token stays', async (t) => {
  const elsewhere = await dropletApi(t, () => ({ json: { droplets: [] } }))
  const { provider } = await opened(t, () => ({ status: 307, headers: { location: `${elsewhere.origin}/v2/droplets` } }))
  await assert.rejects(provider.listVms(), { code: 'DIGITALOCEAN_REFUSED' })
  assert.deepEqual(elsewhere.seen, [])
})

for (const [what, said] of [
  ['no JSON', { text: '<html>' }],
  ['a list', { json: [] }],
  ['an object without droplets', { json: { servers: [] } }],
  ['droplets that are no objects', { json: { droplets: [1] } }],
  ['a droplet without an id', { json: { droplets: [{ name: 'x' }] } }],
  ['more than 16 MiB', { text: ' '.repeat(17 * 1024 * 1024) }],
] as const) {
  test(`an answer that is ${what} is an error with a code`, async (t) => {
    const { provider } = await opened(t, () => said)
    await assert.rejects(provider.listVms(), { code: 'DIGITALOCEAN_ANSWER_INVALID', retryable: false })
  })
}

test('an id that is no droplet id is not sent', async (t) => {
  const { provider, api } = await opened(t, () => ({ json: {} }))
  for (const id of ['web', '../account', '0', '1?x=2', '1e3']) {
    await assert.rejects(provider.getVm(id), { code: 'DIGITALOCEAN_NOT_FOUND' }, id)
  }
  assert.deepEqual(api.seen, [])
})

test('an export says at once that the API has no download, and what to do', async (t) => {
  const { provider, api } = await opened(t, () => ({ json: {} }))
  const items = provider.exportVm({ export_id: 'e', id: '7', format: 'raw', staging_dir: '/tmp' })
  await assert.rejects(items.next(), { code: 'DIGITALOCEAN_EXPORT_IMPOSSIBLE', retryable: false, hint: /Copy the disk/ })
  assert.deepEqual(api.seen, [])
})
