import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, saidOf } from './named-plugin.ts'

test('a plugin is spoken of by its id, or by the part after the slash', () => {
  const said = new Map([
    ['acme/s3', 'by id'],
    ['s3', 'by name'],
    ['gcs', 'by name'],
  ])
  assert.deepEqual(
    [saidOf('acme/s3', said), saidOf('acme/gcs', said), saidOf('acme/other', said)],
    ['by id', 'by name', undefined],
  )
})

test('a name that two plugins have speaks of neither, where it gives something', () => {
  const secrets = new Map([['s3', 'its password']])
  const idsNamed = (name: string): readonly string[] => [`acme/${name}`, `evil/${name}`]
  assert.equal(saidOf('acme/s3', secrets, idsNamed), undefined)
  assert.equal(saidOf('evil/s3', secrets, idsNamed), undefined)
  assert.equal(
    saidOf('acme/s3', secrets, () => ['acme/s3']),
    'its password',
  )
  assert.equal(saidOf('hypersdk/libvirt', new Map([['libvirt', 1]]), idsNamed), 1)
  assert.equal(saidOf('evil/libvirt', new Map([['libvirt', 1]]), idsNamed), undefined)
})

test('the name of a plugin that ships with the host means that one, whoever else has it', () => {
  const secrets = new Map([['libvirt', 'its password']])
  assert.equal(saidOf('hypersdk/libvirt', secrets), 'its password')
  assert.equal(saidOf('evil/libvirt', secrets), undefined)
  assert.equal(keyOf('evil/libvirt', new Set(['evil/libvirt', 'libvirt'])), 'evil/libvirt')
})
