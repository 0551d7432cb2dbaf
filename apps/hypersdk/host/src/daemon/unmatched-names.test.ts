import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PluginsConfig } from '../config/host-config.ts'
import { PackageSources } from '../config/package-sources.ts'
import { ambiguousNames, unmatchedNames } from './unmatched-names.ts'

const ids = ['hypersdk/disk-images', 'hypersdk/libvirt', 'acme/guard']
const override = { limits: {}, onLimit: {} }
const config = (parts: Partial<PluginsConfig>): PluginsConfig => ({
  external: true,
  allow: undefined,
  deny: [],
  directories: [],
  hotReload: true,
  providers: new Map(),
  typeOwners: new Map(),
  perPlugin: new Map(),
  limits: {},
  onLimit: {},
  namespaces: {},
  fallbacks: new Map(),
  credentials: new Map(),
  credentialsCa: undefined,
  trustPolicy: undefined,
  development: false,
  lock: '/data/backplane.lock',
  sources: PackageSources.parse({}),
  scan: true,
  scanners: [],
  isolation: 'os',
  audit: [],
  approvals: { demand: [], timeoutMs: 1 },
  waive: new Map(),
  config: new Map(),
  ...parts,
})

test('a name that no plugin has is told with its place and the nearest one, id or bare as it was written', () => {
  const told = unmatchedNames(
    config({
      allow: ['libvrit', 'disk-images', 'hypersdk/libvirt'],
      deny: ['acme/gaurd', 'nothing-like-it'],
      perPlugin: new Map([['guards', override]]),
      waive: new Map([['acme/guard', []]]),
      config: new Map([['disk-image', {}]]),
      namespaces: { all: { plugins: ['*', 'acme/*', 'acne/*'], limits: {} } },
    }),
    ids,
  )
  assert.deepEqual(told, [
    'plugins.allow or enabled: there is no plugin libvrit now; did you mean "libvirt"?',
    'plugins.disabled: there is no plugin acme/gaurd now; did you mean "acme/guard"?',
    'plugins.disabled: there is no plugin nothing-like-it now',
    'plugins.per_plugin: there is no plugin guards now; did you mean "guard"?',
    'plugins.config: there is no plugin disk-image now; did you mean "disk-images"?',
    'plugins.namespaces.all: there is no plugin acne/* now; did you mean "acme/*"?',
  ])
})

test('names that plugins have are no news', () => {
  assert.deepEqual(unmatchedNames(config({ allow: ['guard'], deny: ids }), ids), [])
})

test('a name that several plugins have is told with all of them and with what comes of it', () => {
  const both = [...ids, 'evil/guard', 'evil/libvirt']
  const named = config({
    allow: ['guard', 'acme/guard'],
    deny: ['guard'],
    perPlugin: new Map([['libvirt', override]]),
    config: new Map([['guard', {}]]),
  })
  const given = 'none of them is given what is written there; write the whole id of the one that is meant'
  assert.deepEqual(ambiguousNames(named, both), [
    `plugins.allow or enabled: guard may be acme/guard and evil/guard: ${given}`,
    'plugins.disabled: guard may be acme/guard and evil/guard: all of them are off; write the whole id of the one that is meant',
    `plugins.config: guard may be acme/guard and evil/guard: ${given}`,
  ])
  assert.deepEqual(ambiguousNames(named, ids), [])
})
