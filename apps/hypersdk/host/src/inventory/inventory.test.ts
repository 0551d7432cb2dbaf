import assert from 'node:assert/strict'
import test from 'node:test'
import type { OpenedClient } from '@backplane/sdk'
import { VmInfo, type provider, type VmFilter } from '@hypersdk/points'
import * as fc from 'fast-check'
import { getVm, listVms, searchVms } from './list-vms.ts'
import { matchesFilter } from './matches-filter.ts'
import { normaliseTime } from './normalise-time.ts'
import { normaliseVm } from './normalise-vm.ts'
import { rankSearch } from './rank-search.ts'
import { normaliseState, type VmState } from './vm-state.ts'

const vm = (given: Partial<VmInfo>): VmInfo => normaliseVm(VmInfo.parse({ id: 'id-1', name: 'web', ...given }), 'demo')

const told: Readonly<Record<VmState, readonly string[]>> = {
  running: ['running', 'poweredOn', 'RUNNING', 'VM Running', 'VM running', 'PowerState/running', 'active', 'ACTIVE', 'on', 'in shutdown', 'idle', 'POWERED_ON', 'blocked', 'started'],
  stopped: ['poweredOff', 'TERMINATED', 'shut off', 'SHUTOFF', 'off', 'Off', 'VM deallocated', 'PowerState/stopped', 'POWERED_OFF', 'stopped', 'halted', 'crashed', 'VM stopped', 'archive'],
  suspended: ['paused', 'PAUSED', 'pmsuspended', 'SUSPENDED', 'suspended', 'Saved', 'hibernated'],
  unknown: ['', 'unknown', 'REPAIRING', 'constructor', '__proto__', 'no idea', '☃'],
} // prettier-ignore

for (const state of Object.keys(told) as VmState[]) {
  test(`the words ${told[state].join(', ')} mean ${state}`, () => {
    for (const word of told[state]) assert.equal(normaliseState(word), state, word)
  })
}

test('a machine keeps its provider’s own word beside the normalised state', () => {
  assert.partialDeepStrictEqual(vm({ state: 'poweredOn' }), { state: 'running', power_state: 'poweredOn', provider: 'demo' })
  assert.partialDeepStrictEqual(vm({ power_state: 'shut off' }), { state: 'stopped', power_state: 'shut off' })
})

test('the provider is the one that was asked, whatever the plugin says', () => {
  assert.equal(vm({ provider: 'another' }).provider, 'demo')
})

test('tags are trimmed and sorted, addresses are bare and each there once', () => {
  const tidy = vm({ tags: { ' b ': ' 2', a: '1', ' ': 'x' }, ip_addresses: ['10.0.0.1/24', '10.0.0.1', ' FE80::1 ', 'n/a'] })
  assert.deepEqual(Object.entries(tidy.tags), [['a', '1'], ['b', '2']]) // prettier-ignore
  assert.deepEqual(tidy.ip_addresses, ['10.0.0.1', 'fe80::1'])
})

test('a machine without a name is shown by its id', () => {
  assert.equal(vm({ name: ' ' }).name, 'id-1')
})

test('times become RFC 3339 in UTC, and times that say never become null', () => {
  const same = '2026-02-03T10:30:00.000Z'
  for (const time of ['2026-02-03T10:30:00Z', '2026-02-03T12:30:00+02:00', '2026-02-03 10:30:00', '2026-02-03T10:30', 'Tue, 03 Feb 2026 10:30:00 GMT', '1770114600', '1770114600000']) {
    assert.equal(normaliseTime(time), same, time)
  } // prettier-ignore
  for (const time of [null, '', 'yesterday', '0001-01-01T00:00:00Z']) assert.equal(normaliseTime(time), null, String(time))
})

test('normalising twice is normalising once', () => {
  const text = fc.string({ maxLength: 20 })
  const some = fc.record({
    id: fc.string({ minLength: 1 }),
    name: text,
    state: text,
    power_state: text,
    tags: fc.dictionary(text, text),
    ip_addresses: fc.array(text),
    created_at: text,
  })
  fc.assert(fc.property(some, (given) => assert.deepEqual(normaliseVm(vm(given), 'demo'), vm(given)))) // prettier-ignore
})

const cases: readonly [string, VmFilter, Partial<VmInfo>, boolean][] = [
  ['no member asks for everything', {}, {}, true],
  ['* matches any run, slashes too', { name_pattern: 'prod*' }, { name: 'prod/web-1' }, true],
  ['? is one character', { name_pattern: 'web-?' }, { name: 'web-12' }, false],
  ['[a-c] is a set', { name_pattern: 'web-[a-c]' }, { name: 'web-b' }, true],
  ['a pattern is for the whole name', { name_pattern: 'web' }, { name: 'web-1' }, false],
  ['a pattern knows case', { name_pattern: 'WEB' }, { name: 'web' }, false],
  ['a name with a leading dot is matched', { name_pattern: '*' }, { name: '.hidden' }, true],
  ['! is no negation', { name_pattern: '!web' }, { name: 'db' }, false],
  ['[!a-c] is all but a set', { name_pattern: 'web-[!a-c]' }, { name: 'web-b' }, false],
  ['a set may hold a bracket and a dash', { name_pattern: 'web[]-]x' }, { name: 'web-x' }, true],
  ['a bracket that is not closed is one', { name_pattern: 'web[1' }, { name: 'web[1' }, true],
  ['a backslash takes a star as it is', { name_pattern: 'web\\*' }, { name: 'web-1' }, false],
  ['a run may be empty, and several are', { name_pattern: '**web**-*1*' }, { name: 'web-1' }, true],
  ['a run takes more where less leads nowhere', { name_pattern: '*ab?ab' }, { name: 'abcabxab' }, true],
  ['a pattern of many runs comes to an end', { name_pattern: `${'*?'.repeat(20)}x` }, { name: 'a'.repeat(200) }, false],
  ['an overlong pattern is taken as a name', { name_pattern: '*'.repeat(300) }, { name: 'web' }, false],
  ['a normalised state matches a provider’s word', { state: 'running' }, { state: 'poweredOn' }, true],
  ['a provider’s word matches a normalised state', { state: 'POWERED_ON' }, { state: 'active' }, true],
  ['a power state is matched like a state', { power_state: 'TERMINATED' }, { state: 'shut off' }, true],
  ['another state does not match', { state: 'running' }, { state: 'paused' }, false],
  ['both state members must hold', { state: 'running', power_state: 'off' }, { state: 'running' }, false],
  ['a word nobody told us matches itself', { state: 'Maintenance' }, { state: 'maintenance' }, true],
  ['a word nobody told us matches nothing else', { state: 'maintenance' }, { state: 'weird' }, false],
  ['every tag must match', { tags: { env: 'prod', tier: 'web' } }, { tags: { env: 'prod', tier: 'web', x: '' } }, true],
  ['one tag missing is enough', { tags: { env: 'prod', tier: 'web' } }, { tags: { env: 'prod' } }, false],
  ['a tag inherited from nowhere does not match', { tags: { toString: 'x' } }, {}, false],
  ['location is compared without case', { location: 'FRA1' }, { location: 'fra1' }, true],
  ['another location does not match', { location: 'fra1' }, { location: 'ams3' }, false],
  ['enough memory', { min_memory_mb: 1024 }, { memory_mb: 1024 }, true],
  ['too little memory', { min_memory_mb: 1025 }, { memory_mb: 1024 }, false],
  ['enough CPUs', { min_cpus: 2 }, { num_cpus: 4 }, true],
  ['too few CPUs', { min_cpus: 2 }, { num_cpus: 1 }, false],
  ['one member that fails is enough', { name_pattern: 'w*', min_cpus: 2 }, { num_cpus: 1 }, false],
]
for (const [title, filter, given, matches] of cases) {
  test(`filter: ${title}`, () => assert.equal(matchesFilter(vm(given), filter), matches))
}

test('search drops what does not match and puts the whole name first', () => {
  const vms = [
    vm({ id: '1', name: 'db', tags: { app: 'web' } }),
    vm({ id: '2', name: 'my-web' }),
    vm({ id: '3', name: 'web-2' }),
    vm({ id: '4', name: 'web' }),
    vm({ id: '5', name: 'mail', metadata: { note: 'nothing' } }),
  ]
  assert.deepEqual(rankSearch(vms, ' WEB ').map(({ id }) => id), ['4', '3', '2', '1']) // prettier-ignore
  assert.deepEqual(rankSearch(vms, 'web db').map(({ id }) => id), ['1']) // prettier-ignore
  assert.equal(rankSearch(vms, '').length, 5)
})

/** A provider that ignores filters and queries, and repeats itself. */
function careless(asked: unknown[]): OpenedClient<typeof provider> {
  const all = [
    VmInfo.parse({ id: '2', name: 'web-2', state: 'shut off' }),
    VmInfo.parse({ id: '1', name: 'web-1', state: 'poweredOn' }),
    VmInfo.parse({ id: '1', name: 'again' }),
    VmInfo.parse({ id: '3', name: 'db', state: 'ACTIVE' }),
  ]
  const unused = (): never => assert.fail('not to be called')
  return {
    validateCredentials: unused, exportVm: unused, cleanupExport: unused, listSnapshots: unused, createSnapshot: unused, deleteSnapshot: unused,
    listVms: async (filter) => (asked.push(filter), all),
    searchVms: async ({ query }) => (asked.push(query), all),
    getVm: async ({ id }) => all.find((one) => one.id === id) ?? unused(),
    has: () => true,
    [Symbol.asyncDispose]: async () => {},
  } // prettier-ignore
}

test('a list is filtered by the host even when the plugin ignores the filter', async () => {
  const asked: unknown[] = []
  const vms = await listVms(careless(asked), { name_pattern: 'web-*', state: 'running' }, { providerType: 'demo' })
  assert.deepEqual(vms.map(({ id, provider: from, state }) => ({ id, from, state })), [{ id: '1', from: 'demo', state: 'running' }]) // prettier-ignore
  assert.deepEqual(asked, [{ name_pattern: 'web-*' }], 'state words stay with the host')
})

test('a list names each machine once, sorted', async () => {
  const vms = await listVms(careless([]), {}, { providerType: 'demo' })
  assert.deepEqual(vms.map(({ name }) => name), ['db', 'web-1', 'web-2']) // prettier-ignore
})

test('a search is ranked by the host, and one machine is normalised as in a list', async () => {
  const asked: unknown[] = []
  const client = careless(asked)
  assert.deepEqual((await searchVms(client, 'web-2', { providerType: 'demo' })).map(({ id }) => id), ['2']) // prettier-ignore
  assert.deepEqual(asked, ['web-2'])
  assert.equal((await getVm(client, '3', { providerType: 'demo' })).state, 'running')
})
