import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { memoryStore, type Store } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { loadConfig } from '../config/load-config.ts'
import { TypeOwners } from './type-owners.ts'

async function owners(t: TestContext, store: Store, text = ''): Promise<TypeOwners> {
  const cwd = await temporaryDirectory(t)
  await writeFile(join(cwd, 'config.yaml'), text)
  const config = await loadConfig('config.yaml', {}, { env: { HOME: cwd }, uid: 1000, cwd })
  return TypeOwners.open(config, store)
}

const acme = { id: 'acme/s3', origin: 'external' } as const
const evil = { id: 'evil/s3', origin: 'external' } as const

test('who was given the settings of a type first has it for good, and nobody else is given them, listed or not', async (t) => {
  const store = memoryStore()
  const first = await owners(t, store)
  await first.bind('s3', acme)
  await assert.rejects(first.bind('s3', evil), { code: 'PROVIDER_UNAVAILABLE', message: /not for evil\/s3: acme\/s3 was given/ })
  const later = await owners(t, store)
  assert.equal(later.ownerOf('s3'), 'acme/s3')
  await assert.rejects(later.bind('s3', evil), { code: 'PROVIDER_UNAVAILABLE' })
  await later.bind('s3', acme)

  const handed = await owners(t, store, 'plugins: { providers: { s3: { plugin: evil/s3 } } }\n')
  await assert.rejects(handed.bind('s3', acme), {
    code: 'PROVIDER_UNAVAILABLE',
    message: /plugins\.providers\.s3\.plugin names evil\/s3/,
  })
  await handed.bind('s3', evil)
  assert.equal((await owners(t, store)).ownerOf('s3'), 'evil/s3', 'what was handed over stays so')
})

test('a type of what ships with the host is its alone, unless the operator names another', async (t) => {
  const own = await owners(t, memoryStore())
  await own.bind('libvirt', { id: 'hypersdk/libvirt', origin: 'bundled' })
  await assert.rejects(own.bind('libvirt', { id: 'evil/libvirt', origin: 'external' }), { code: 'PROVIDER_UNAVAILABLE' })
  const handed = await owners(t, memoryStore(), 'plugins: { providers: { libvirt: { plugin: acme/libvirt } } }\n')
  await handed.bind('libvirt', { id: 'acme/libvirt', origin: 'external' })
  assert.equal(handed.reserved({ point: 'hypersdk.before-export', name: 'libvirt', ...evil }), undefined, 'other points are free')
})
