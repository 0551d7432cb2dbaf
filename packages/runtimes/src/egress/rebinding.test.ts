import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echoServer } from '../fixtures/local-servers.ts'
import { nameServer } from '../fixtures/name-server.ts'
import { rawGuest } from '../fixtures/raw-guest.ts'
import { parseAuthority } from './authority.ts'
import { vettedAddresses } from './vetted-addresses.ts'

test('an answer that changes between the look and the connection changes nothing: asked once, dialled what was seen', async (t) => {
  const server = await echoServer(t)
  const { resolve, questions } = await nameServer(t, {
    // The first look sees somebody harmless, whom nobody reaches from here; every later one this machine.
    'flips.example': (at) => ({ addresses: [at === 0 ? '192.0.2.1' : '127.0.0.1'] }),
    'turns.example': (at) => ({ addresses: [at % 2 === 0 ? '127.0.0.1' : '10.0.0.1'] }),
  })
  const authority = (host: string): string => `${host}:${server.port}`
  const guest = await rawGuest(t, [authority('flips.example'), authority('turns.example')], {
    resolve,
    limits: { connectMs: 2_000 },
  })
  for (let at = 0; at < 5; at++) {
    for (const host of ['flips.example', 'turns.example']) {
      const { error } = await guest.ask(authority(host))
      assert.equal(error?.code, 'EGRESS_DENIED', `${host} ${at}: ${error?.message}`)
    }
  }
  assert.equal(questions().filter((one) => one === 'flips.example A').length, 5)
  assert.equal(server.connections(), 0)
})

test('another name for a private place, and every disguise of one, is no way in', async (t) => {
  const server = await echoServer(t)
  const disguises = (
    '127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 192.168.0.1 172.16.0.1 100.64.0.1 169.254.169.254 168.63.129.16 ::1 :: ' +
    '::ffff:127.0.0.1 ::ffff:0:127.0.0.1 ::127.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::127.0.0.1 2002:7f00:1::1 2001:0:7f00:1::1 ' +
    'fe80::1 fec0::1 fd00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1 5f00::1'
  ).split(' ')
  const zone = Object.fromEntries(
    disguises.flatMap((address, at) => [
      [`a${at}.example`, () => ({ addresses: [address] })],
      [`c${at}.example`, () => ({ addresses: [address], alias: 'inside.corp.example' })],
    ]),
  )
  const { resolve, questions } = await nameServer(t, zone)
  const hosts = Object.keys(zone).map((host) => `${host}:${server.port}`)
  const { ask, violations } = await rawGuest(t, hosts, { resolve, limits: { connectMs: 2_000 } })
  for (const [at, authority] of hosts.entries()) {
    const { error } = await ask(authority)
    assert.equal(error?.code, 'EGRESS_DENIED', `${disguises[Math.floor(at / 2)]} as ${authority}`)
  }
  assert.equal(questions().length, 2 * hosts.length)
  assert.deepEqual([violations.length, server.connections()], [hosts.length, 0])
})

test('of several answers those that may be reached are left, and a private one only with leave', async (t) => {
  const { resolve } = await nameServer(t, {
    'both.example': () => ({ addresses: ['127.0.0.1', '::1', '10.255.255.1', '100.100.100.200', '9.9.9.9'] }),
  })
  const place = parseAuthority('both.example:9') ?? assert.fail('no place')
  const left = async (allowPrivate: boolean): Promise<unknown> => {
    const vetted = await vettedAddresses(place, { resolve, allowPrivate })
    return vetted.allowed ? vetted.addresses.map(({ address }) => address) : vetted.reason
  }
  assert.deepEqual(await left(false), ['9.9.9.9'])
  assert.deepEqual(await left(true), ['10.255.255.1', '9.9.9.9'])
})
