import assert from 'node:assert/strict'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openProvider } from '@hypersdk/points/testing'
import { imageBench } from './fixtures/image-files.ts'
import plugin from './index.ts'

test('every image is a machine, one level of folders is its location, hidden files and others are left out', async (t) => {
  const { provider, images } = await imageBench(t)
  await mkdir(join(images, 'lab', 'deep'), { recursive: true })
  for (const file of ['web.raw', 'lab/db.img', 'lab/deep/far.raw', '.hidden.raw', 'notes.txt', 'sum.sha256']) {
    await writeFile(join(images, file), 'x'.repeat(1000))
  }
  const machines = await provider.listVms()
  assert.deepEqual(
    machines.map(({ id, name, location, state }) => ({ id, name, location, state })),
    [
      { id: 'lab/db.img', name: 'db', location: 'lab', state: 'stopped' },
      { id: 'web.raw', name: 'web', location: '', state: 'stopped' },
    ],
  )
})

test('a sidecar describes the machine beside it', async (t) => {
  const { provider, images, staging } = await imageBench(t)
  await writeFile(join(images, 'web.raw'), 'x')
  const sidecar = { name: 'Web server', memory: '2GiB', cpus: 4, guest_os: 'debian12', firmware: 'uefi', tags: { env: 'prod' } }
  await writeFile(join(images, 'web.json'), JSON.stringify(sidecar))
  const machine = await provider.getVm('web.raw')
  assert.deepEqual(
    [machine.name, machine.memory_mb, machine.num_cpus, machine.guest_os, machine.tags],
    ['Web server', 2048, 4, 'debian12', { env: 'prod' }],
  )
  assert.deepEqual(((await provider.unary('searchVms', { query: 'PROD' })) as unknown[]).length, 1)
  assert.deepEqual(await provider.unary('searchVms', { query: 'nothing like it' }), [])
  const items = provider.exportVm({ export_id: 'e', id: 'web.raw', format: 'raw', staging_dir: staging })
  const { value } = await items.next()
  assert.deepEqual(value, { kind: 'vm', name: 'Web server', cpu: 4, mem_gb: 2, os_hint: 'debian12', firmware: 'uefi' })
  await items.return(undefined)
})

for (const [sidecar, reason] of [
  ['{', /JSON/],
  ['[]', /not an object/],
  ['{"memory": 2048}', /"memory" must be a size/],
  ['{"cpus": 0}', /"cpus"/],
  ['{"tags": {"a": 1}}', /"tags"/],
  ['{"firmware": "openbios"}', /"firmware"/],
  ['{"format": "qcow2"}', /"format"/],
  ['{"name": ""}', /"name"/],
  ['{"guest_os": 7}', /"guest_os"/],
  ['{"memroy": "2GiB"}', /unknown key "memroy"; known are name, memory/],
  [`{"name": "${'x'.repeat(70_000)}"}`, /longer/],
] as const) {
  test(`a sidecar like ${sidecar.slice(0, 30)} is a problem of its machine, not of the list`, async (t) => {
    const { provider, images } = await imageBench(t)
    for (const name of ['bad.raw', 'good.raw']) await writeFile(join(images, name), 'x')
    await writeFile(join(images, 'bad.json'), sidecar)
    const [bad, good] = await provider.listVms()
    assert.match(String(bad?.metadata['problem']), /^IMAGES_SIDECAR_INVALID/)
    assert.match(String(bad?.metadata['problem']), reason)
    assert.equal(good?.metadata['problem'], undefined)
    await assert.rejects(provider.getVm('bad.raw'), { code: 'IMAGES_SIDECAR_INVALID' })
  })
}

test('the directory must be given, and be one that can be read', async (t) => {
  for (const directory of [undefined, 7, 'relative/path']) {
    await assert.rejects(openProvider(plugin, { metadata: { directory } }), { code: 'IMAGES_DIRECTORY_UNSET' })
  }
  const { images } = await imageBench(t)
  for (const directory of [join(images, 'missing'), '/dev/null']) {
    const provider = await openProvider(plugin, { metadata: { directory } })
    await assert.rejects(provider.unary('validateCredentials', null), { code: 'IMAGES_DIRECTORY_UNREADABLE' })
    await assert.rejects(provider.listVms(), { code: 'IMAGES_DIRECTORY_UNREADABLE' })
  }
})

test('a directory that appears later is served then', async (t) => {
  const { provider, images } = await imageBench(t)
  await rm(images, { recursive: true })
  await assert.rejects(provider.listVms(), { code: 'IMAGES_DIRECTORY_UNREADABLE' })
  await mkdir(images)
  assert.deepEqual(await provider.listVms(), [])
  assert.equal(await provider.unary('validateCredentials', null), null)
})

test('a machine that is not there is named', async (t) => {
  const { provider } = await imageBench(t)
  await assert.rejects(provider.getVm('nobody.raw'), { code: 'IMAGES_NOT_FOUND', message: 'there is no image nobody.raw' })
})

test('a directory of too many files is refused instead of listed in part', async (t) => {
  const { provider, images } = await imageBench(t)
  await mkdir(join(images, 'many'))
  await Promise.all(Array.from({ length: 10_001 }, (_, index) => writeFile(join(images, 'many', `${index}.raw`), '')))
  await assert.rejects(provider.listVms(), { code: 'IMAGES_TOO_MANY' })
  await chmod(images, 0o700)
})
