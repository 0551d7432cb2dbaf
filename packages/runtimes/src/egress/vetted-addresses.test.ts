import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressKind, ownAddresses } from '@backplane/sdk/address-ranges'
import { parseAuthority, type Authority } from './authority.ts'
import { vettedAddresses, type ResolvedAddress, type Vetted } from './vetted-addresses.ts'

test('an address in disguise, of a link, a group, a relay, a test or this machine is none that a name may lead to', () => {
  const special = (
    '0.0.0.0 127.0.0.1 127.8.9.10 169.254.169.254 192.0.0.8 192.88.99.1 198.18.0.1 203.0.113.9 224.0.0.1 255.255.255.255 ' +
    ':: ::1 fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 3fff::1 2002:7f00:1::1 100::1 ' +
    '::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::1'
  ).split(' ')
  for (const address of special) assert.equal(addressKind(address), 'special', address)
  for (const address of ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd00::1', 'fc00::1']) {
    assert.equal(addressKind(address, new Set()), 'private', address)
  }
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111']) {
    assert.equal(addressKind(address), 'public', address)
    assert.equal(addressKind(address, new Set([address])), 'own', address)
  }
  assert.ok(ownAddresses().has('127.0.0.1'))
})

test('a service that tells machines their credentials is none a name leads to, wherever a cloud has put it', () => {
  const services = '169.254.169.254 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254 fd00:42::42'.split(' ')
  for (const address of services) assert.equal(addressKind(address), 'special', address)
})

test('a name is asked for once, and only those of its addresses that it may lead to are left', async () => {
  const asked: string[] = []
  const answers: ResolvedAddress[] = [v4('10.0.0.1'), v4('203.0.113.1'), v4('8.8.8.8'), { address: '::1', family: 6 }]
  const vet = (allowPrivate: boolean): Promise<Vetted> =>
    vettedAddresses(place('a.example:443'), { allowPrivate, resolve: async (host) => (asked.push(host), answers) })
  assert.deepEqual(await vet(false), { allowed: true, addresses: [v4('8.8.8.8')] })
  assert.deepEqual(await vet(true), { allowed: true, addresses: [v4('10.0.0.1'), v4('8.8.8.8')] })
  assert.deepEqual(asked, ['a.example', 'a.example'])
})

test('a place named by its address, and localhost, is what it says, and nobody is asked', async () => {
  const resolve = (): never => assert.fail('nobody is to be asked')
  const vet = (text: string): Promise<Vetted> => vettedAddresses(place(text), { resolve, allowPrivate: false })
  assert.deepEqual(await vet('10.1.2.3:80'), { allowed: true, addresses: [v4('10.1.2.3')] })
  assert.deepEqual(await vet('[::1]:80'), { allowed: true, addresses: [{ address: '::1', family: 6 }] })
  assert.equal((await vet('localhost:80')).allowed, true)
})

function v4(address: string): ResolvedAddress {
  return { address, family: 4 }
}

function place(text: string): Authority {
  return parseAuthority(text) ?? assert.fail(text)
}
