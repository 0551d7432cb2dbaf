import assert from 'node:assert/strict'
import { chmod, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Grants, Instance, Isolation } from '@backplane/kernel'
import { HostileSubject } from '../fixtures/hostile-subject.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { inAuditMode } from '../fixtures/in-audit-mode.ts'
import { echoServer } from '../fixtures/local-servers.ts'
import { networkSubject } from '../fixtures/network-subject.ts'
import { usesAtOnce } from '../session-link/denied-words.ts'
import { confined } from './confined.ts'

const none: Grants = { fsRead: [], fsWrite: [], exec: [], net: [], host: [] }
const os: Isolation = { floor: 'os', trust: 'community' }

interface Subject {
  readonly subject: HostileSubject
  readonly instance: Instance
  readonly given: string
  readonly out: string
}

/** In audit mode, with a directory to read, one to write, and a program. */
async function watched(t: Parameters<typeof HostileSubject.make>[0]): Promise<Subject> {
  const subject = await HostileSubject.make(t, inAuditMode(confined({ modules: hostModules })))
  const [given, out] = [subject.path('given'), subject.path('out')]
  await Promise.all([mkdir(given), mkdir(out), writeFile(subject.path('secret'), 'secret')])
  await writeFile(join(given, 'note'), 'a note')
  // where the host is root its plugins are users of their own
  await chmod(out, 0o777)
  const grants = { fsRead: [given, out], fsWrite: [out], exec: ['echo'] }
  return { subject, instance: await subject.start({ grants }), given, out }
}

const told = (subject: HostileSubject): readonly string[] =>
  subject.host.uses.map(({ verb, what, by }) => `${verb} ${what} ${by}`)

test('in audit mode each use of what was granted is told, by the word of the plugin, and nothing else of its start', async (t) => {
  const { subject, instance, given, out } = await watched(t)
  assert.deepEqual(told(subject), [], 'nothing of its start is one')
  assert.deepEqual(subject.host.violations, [])
  const note = join(given, 'note')
  for (const name of ['read', 'readAsync', 'readStream']) {
    assert.deepEqual(await subject.attack(instance, name, { path: note }), { value: 'a note' }, name)
  }
  assert.deepEqual(await subject.attack(instance, 'write', { path: join(out, 'new') }), {})
  assert.deepEqual(await subject.attack(instance, 'output', { program: 'echo', args: ['ran'] }), { value: 'ran\n' })
  await instance.ping(10_000)
  const all = new Set(told(subject))
  assert.deepEqual(all, new Set([`fs:read ${note} plugin`, `fs:write ${join(out, 'new')} plugin`, 'exec echo plugin']))
  assert.deepEqual(instance.tellsUse, ['fs:read', 'fs:write', 'exec', 'net:connect'])
})

test('in audit mode more files of one place than are told hide no use of another', async (t) => {
  const { subject, instance, given, out } = await watched(t)
  const missing = (at: number): Promise<unknown> => subject.attack(instance, 'read', { path: join(given, `file-${at}`) })
  for (let at = 0; at < usesAtOnce + 100; at += 100)
    await Promise.all(Array.from({ length: 100 }, (_, more) => missing(at + more)))
  await subject.attack(instance, 'read', { path: join(out, 'rare') })
  await instance.ping(10_000)
  const all = told(subject)
  assert.ok(all.length < usesAtOnce, String(all.length))
  assert.ok(all.includes(`fs:read ${join(out, 'rare')} plugin`))
  assert.equal(subject.host.isUntold, false)
})

test('in audit mode uses in more places at once than are told are said to be left out', async (t) => {
  const { subject, instance, given } = await watched(t)
  const missing = (at: number): Promise<unknown> => subject.attack(instance, 'read', { path: join(given, `place-${at}`, 'file') })
  for (let at = 0; at < usesAtOnce && !subject.host.isUntold; at += 100)
    await Promise.all(Array.from({ length: 100 }, (_, more) => missing(at + more)))
  await instance.ping(10_000)
  assert.ok(subject.host.isUntold)
})

test('in audit mode the sandbox denies what was not granted, and the attempt is told as one', async (t) => {
  const { subject, instance, given } = await watched(t)
  const secret = subject.path('secret')
  assert.equal((await subject.attack(instance, 'read', { path: secret })).code, 'ENOENT')
  assert.notEqual((await subject.attack(instance, 'write', { path: join(given, 'note') })).code, undefined)
  assert.equal((await subject.attack(instance, 'list', { path: subject.path('own') })).code, undefined, 'of its own')
  assert.notEqual((await subject.attack(instance, 'tcp', { port: 1 })).code, undefined)
  await instance.ping(10_000)
  assert.deepEqual(told(subject), [])
  const denied = subject.host.violations.map((one) => one.kind === 'grant' && one.permission)
  assert.ok(denied.includes(`fs:read ${secret}`), String(denied))
  assert.ok(denied.includes(`fs:write ${join(given, 'note')}`), String(denied))
})

test('in audit mode with a program, it is not said of Node that the sandbox kept it away: it has to hold it', async (t) => {
  const { subject, instance } = await watched(t)
  const node = await subject.attack(instance, 'output', { program: process.execPath, args: ['-p', '"ran"'] })
  assert.deepEqual(node, { value: 'ran\n' })
  assert.notEqual((await subject.attack(instance, 'output', { program: '/usr/bin/id', args: [] })).code, undefined)
  assert.equal((await subject.attack(instance, 'read', { path: subject.path('secret') })).code, 'ENOENT')
  await instance.ping(10_000)
  const details = new Map(subject.host.violations.map((one) => [one.kind === 'grant' ? one.permission : '', one.detail]))
  for (const program of [process.execPath, '/usr/bin/id']) {
    assert.match(details.get(`exec ${program}`) ?? '', /^not granted; its sandbox holds Node and what the granted programs need/)
  }
  assert.match(details.get(`fs:read ${subject.path('secret')}`) ?? '', /^kept from it by its sandbox/)
})

for (const trust of ['community', 'first-party'] as const) {
  test(`in audit mode a ${trust} plugin without programs starts none, be it Node itself, and has its threads`, async (t) => {
    const subject = await HostileSubject.make(t, inAuditMode(confined({ modules: hostModules }), trust))
    const instance = await subject.start()
    assert.deepEqual(await subject.attack(instance, 'node'), { value: 'nothing' })
    const started = await subject.attack(instance, 'stay', { program: process.execPath, args: ['-v'] })
    assert.notEqual(started.code, undefined)
    assert.deepEqual(await subject.attack(instance, 'become', { program: process.execPath }), { value: 'it cannot' })
    assert.deepEqual(await subject.attack(instance, 'worker'), { value: 'ran' })
    await instance.ping(10_000)
    const denied = subject.host.violations.map((one) => one.kind === 'grant' && one.permission)
    assert.ok(denied.includes(`exec ${process.execPath}`), String(denied))
  })
}

test('what is reached by its real name counts for the name it was granted by', async (t) => {
  const subject = await HostileSubject.make(t, inAuditMode(confined({ modules: hostModules })))
  await mkdir(subject.path('real'))
  await writeFile(subject.path('real/note'), 'a note')
  const link = subject.path('link')
  await symlink(subject.path('real'), link)
  const instance = await subject.start({ grants: { fsRead: [link] } })
  const real = join(await realpath(link), 'note')
  assert.deepEqual(await subject.attack(instance, 'read', { path: real }), { value: 'a note' })
  await instance.ping(10_000)
  assert.deepEqual(told(subject), [`fs:read ${join(link, 'note')} plugin`])
})

test('audit mode is refused wherever the sandbox alone does not keep what sandbox and Node keep together', async (t) => {
  const subject = await HostileSubject.make(t, confined({ modules: hostModules }))
  const { cannotAudit } = subject.runtime
  const why = (grants: Partial<Grants>, isolation: Isolation = os): string | undefined =>
    cannotAudit?.({ ...none, ...grants }, isolation)
  assert.match(why({}, { ...os, floor: 'process' }) ?? '', /without the sandbox/)
  assert.match(why({ fsRead: ['/dev/null'] }) ?? '', /may only read \/dev\/null/)
  assert.match(why({ fsWrite: ['/srv/out'] }) ?? '', /may write \/srv\/out and not read it/)
  assert.equal(why({ fsRead: ['/srv', '/dev/null'], fsWrite: ['/srv/out', '/dev/null'], exec: ['echo'] }), undefined)
  const weaker = confined({ modules: hostModules, bwrap: false })
  t.after(() => weaker[Symbol.asyncDispose]())
  assert.match(weaker.cannotAudit?.(none, os) ?? '', /cannot be built here/)
  const unasked = await HostileSubject.make(t, inAuditMode(confined({ modules: hostModules, bwrap: false })))
  await assert.rejects(unasked.start(), { code: 'RUNTIME_AUDIT_UNAVAILABLE', plugin: 'hostile/everything' })
})

test('places of the network are told by the host in every mode, and only where programs cannot go around it', async (t) => {
  const server = await echoServer(t)
  const other = await echoServer(t)
  const egress = { allowPrivate: () => true }
  const { host, run, instance } = await networkSubject(t, { net: [server.authority, other.authority], egress })
  assert.deepEqual(host.uses, [])
  const reach = (port: number): Promise<unknown> => run('echo', { options: { port, host: '127.0.0.1' }, say: 'hello' })
  await reach(server.port)
  assert.deepEqual(host.uses, [{ verb: 'net:connect', what: server.authority, by: 'host' }])
  await reach(1)
  assert.equal(host.uses.length, 1, 'what is refused is not used')
  assert.deepEqual(instance.tellsUse, ['net:connect'])
  const escaping = await networkSubject(t, { net: [server.authority], egress, grants: { exec: ['echo'] } })
  assert.deepEqual(escaping.instance.tellsUse, [])
})
