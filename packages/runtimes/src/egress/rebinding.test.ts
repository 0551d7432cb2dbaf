import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { echoServer } from '../fixtures/local-servers.ts'
import { rawGuest } from '../fixtures/raw-guest.ts'
import { parseAuthority } from './authority.ts'
import { vettedAddresses, type ResolvedAddress } from './vetted-addresses.ts'

/** What a server of names says to the question of that number: addresses, or another name and its addresses. */
type Zone = Readonly<Record<string, (question: number) => Answer>>
interface Answer {
  readonly addresses: readonly string[]
  readonly alias?: string
}

interface Names {
  readonly resolve: (host: string) => Promise<readonly ResolvedAddress[]>
  readonly questions: () => readonly string[]
}

/** A server of names on this machine, and a resolver that asks nobody else. */
async function names(t: TestContext, zone: Zone): Promise<Names> {
  const asked: string[] = []
  const server = createSocket('udp4')
  server.on('message', (query, { port }) => {
    const { name, type, end } = question(query)
    const key = `${name} ${type === 28 ? 'AAAA' : 'A'}`
    const found = zone[name]?.(asked.filter((one) => one === key).length) ?? { addresses: [] }
    asked.push(key)
    server.send(answer(query.subarray(0, end), type, found), port, '127.0.0.1')
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const resolver = new Resolver({ timeout: 2_000, tries: 1 })
  resolver.setServers([`127.0.0.1:${server.address().port}`])
  t.after(() => resolver.cancel())
  const resolve = async (host: string): Promise<readonly ResolvedAddress[]> => {
    const none = (): string[] => []
    const [v4, v6] = await Promise.all([resolver.resolve4(host).catch(none), resolver.resolve6(host).catch(none)])
    return [...v6.map((address) => ({ address, family: 6 as const })), ...v4.map((address) => ({ address, family: 4 as const }))]
  }
  return { resolve, questions: () => asked }
}

/** Source: RFC 1035 §4.1.2. */
function question(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function answer(asked: Buffer, type: number, { addresses, alias }: Answer): Buffer {
  const mine = addresses.filter((address) => address.includes(':') === (type === 28))
  const named = alias === undefined ? Buffer.from([0xc0, 12]) : encoded(alias)
  const record = (owner: Buffer, kind: number, data: Buffer): Buffer => {
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(kind, 0)
    fixed.writeUInt16BE(1, 2)
    fixed.writeUInt16BE(data.length, 8)
    return Buffer.concat([owner, fixed, data])
  }
  const records = [
    ...(alias === undefined ? [] : [record(Buffer.from([0xc0, 12]), 5, named)]),
    ...mine.map((address) =>
      record(named, type, address.includes(':') ? packed(address) : Buffer.from(address.split('.').map(Number))),
    ),
  ]
  const head = Buffer.from(asked)
  head.writeUInt16BE(0x8580, 2)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt32BE(0, 8)
  return Buffer.concat([head, ...records])
}

function encoded(name: string): Buffer {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])])
}

/** Of an address whose last 32 bits may be dotted. */
function packed(address: string): Buffer {
  const dotted = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [left = '', right = ''] = dotted.split('::')
  const [before, after] = [left, right].map((half) =>
    half === '' ? [] : half.split(':').map((part) => Number.parseInt(part, 16)),
  )
  const groups = [...(before ?? []), ...Array<number>(8 - (before?.length ?? 0) - (after?.length ?? 0)).fill(0), ...(after ?? [])]
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 255]))
}

test('an answer that changes between the look and the connection changes nothing: asked once, dialled what was seen', async (t) => {
  const server = await echoServer(t)
  const { resolve, questions } = await names(t, {
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
  const { resolve, questions } = await names(t, zone)
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
  const { resolve } = await names(t, {
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
