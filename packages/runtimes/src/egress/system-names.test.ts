import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { rejection, temporaryDirectory } from '@backplane/testing'
import { echoServer } from '../fixtures/local-servers.ts'
import { nameServer } from '../fixtures/name-server.ts'
import { rawGuest } from '../fixtures/raw-guest.ts'
import { systemNames, type NameSources } from './system-names.ts'

const never = new AbortController().signal

test('a plugin whose names are never answered is held to its lookups, and another plugin’s go on', async (t) => {
  const silent = (): undefined => undefined
  const dead = Array.from({ length: 6 }, (_, at) => `dead${at}.example`)
  const zone = Object.fromEntries(dead.map((host) => [host, silent]))
  const server = await echoServer(t)
  const names = await nameServer(t, { ...zone, 'alive.example': () => ({ addresses: ['10.0.0.1'] }) })
  const sources = await nameSources(t, { servers: [names.server] })
  const resolve = systemNames(sources)
  const places = dead.map((host) => `${host}:1`)
  const held = await rawGuest(t, [...places, server.authority], { resolve, limits: { lookups: 2 } })
  // Each is wanted twice: what is being asked for is not asked for again.
  for (const place of [...places, ...places]) void held.ask(place)
  await names.asked('dead0.example A')
  await names.asked('dead1.example AAAA')
  const other = await rawGuest(t, ['alive.example:1'], { resolve })
  for (let at = 0; at < 5; at++) {
    const { error } = await other.ask('alive.example:1')
    assert.match(error?.message ?? '', /alive\.example is 10\.0\.0\.1/)
  }
  assert.equal((await held.ask(server.authority)).status, 200)
  const unanswered = names.questions().filter((one) => one.startsWith('dead'))
  assert.deepEqual(unanswered.toSorted(), ['dead0.example A', 'dead0.example AAAA', 'dead1.example A', 'dead1.example AAAA'])
})

test('more lookups than are allowed wait their turn, and none is begun that nobody waits for any more', async (t) => {
  const begun: string[] = []
  const answers = new Map<string, () => void>()
  const places = ['one.example:1', 'two.example:1', 'three.example:1']
  const { ask, session } = await rawGuest(t, places, {
    limits: { lookups: 1 },
    resolve: (host) => {
      begun.push(host)
      return new Promise((resolve) => answers.set(host, () => resolve([])))
    },
  })
  const first = ask('one.example:1')
  const givenUp = session.request({ ':method': 'CONNECT', ':authority': 'two.example:1' }, { endStream: false })
  givenUp.on('error', () => undefined)
  const last = ask('three.example:1')
  while (begun.length === 0) await new Promise(setImmediate)
  givenUp.close(8)
  await once(givenUp, 'close')
  await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))))
  answers.get('one.example')?.()
  await first
  while (begun.length < 2) await new Promise(setImmediate)
  answers.get('three.example')?.()
  await last
  assert.deepEqual(begun, ['one.example', 'three.example'])
})

test('a machine’s own names come before its servers, in any case and with several addresses', async (t) => {
  const names = await nameServer(t, { 'other.example': () => ({ addresses: ['9.9.9.9', '2620:fe::fe'] }) })
  const hosts = '# 8.8.8.8 db.example\n10.1.2.3\tDB.example db # ours\nfd00::1 db.example\nnonsense db.example\n'
  const resolve = systemNames(await nameSources(t, { servers: [names.server] }, { hosts }))
  assert.deepEqual(await resolve('db.example', never), [
    { address: '10.1.2.3', family: 4 },
    { address: 'fd00::1', family: 6 },
  ])
  assert.deepEqual(names.questions(), [])
  assert.deepEqual(await resolve('other.example', never), [
    { address: '9.9.9.9', family: 4 },
    { address: '2620:fe::fe', family: 6 },
  ])
})

test('a short name is looked for in the search list first, a longer one last', async (t) => {
  const names = await nameServer(t, { 'db.ns.cluster.example': () => ({ addresses: ['10.0.0.9'] }) })
  const settings = 'search ns.cluster.example cluster.example.\noptions edns0 ndots:2\n'
  const resolve = systemNames(await nameSources(t, { servers: [names.server] }, { settings }))
  assert.deepEqual(await resolve('db', never), [{ address: '10.0.0.9', family: 4 }])
  assert.equal((await rejection(resolve('a.b.example', never)))['code'], 'ENOTFOUND')
  const inOrder = names.questions().filter((one) => one.endsWith(' A'))
  assert.deepEqual(inOrder, [
    'db.ns.cluster.example A',
    'a.b.example A',
    'a.b.example.ns.cluster.example A',
    'a.b.example.cluster.example A',
  ])
})

test('a server that is not there, and one that is waited for no longer, are told as the system tells them', async (t) => {
  const sources = await nameSources(t, { servers: ['127.0.0.1:1'] })
  assert.equal((await rejection(systemNames(sources)('a.example', never)))['code'], 'EAI_AGAIN')
  const names = await nameServer(t, { 'dead.example': () => undefined })
  const controller = new AbortController()
  const resolved = rejection(systemNames({ ...sources, servers: [names.server] })('dead.example', controller.signal))
  await names.asked('dead.example A')
  controller.abort()
  assert.equal((await resolved).name, 'AbortError')
})

async function nameSources(t: TestContext, sources: NameSources, { hosts = '', settings = '' } = {}): Promise<NameSources> {
  const directory = await temporaryDirectory(t)
  const [hostsFile, resolverFile] = [join(directory, 'hosts'), join(directory, 'resolv.conf')]
  await Promise.all([writeFile(hostsFile, hosts), writeFile(resolverFile, settings)])
  return { hostsFile, resolverFile, ...sources }
}
