import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { Grants, Instance } from '@backplane/kernel'
import { hostModules } from '../fixtures/host-modules.ts'
import { inSandbox } from '../fixtures/in-sandbox.ts'
import { HostileSubject, type Outcome } from '../fixtures/hostile-subject.ts'
import type { PooledRuntime } from '../pool/pooled-runtime.ts'
import { confined } from './confined.ts'
import type { ConfinedOptions } from './confined-options.ts'

// A child from the pool must end up with exactly what a child of its own would have.
for (const [name, pool, floor] of [
  ['a child of its own', 0, 'process'],
  ['a child from the pool', 1, 'process'],
  ['a sandbox', 0, 'os'],
  ['a sandbox made ahead', 1, 'os'],
] as const) {
  describe(`a confined plugin in ${name}`, () => {
    const subjectOf = async (t: TestContext): Promise<HostileSubject> => {
      const runtime = confinedFor({ pool: { size: pool } })
      await runtime.warm()
      const subject = await HostileSubject.make(t, floor === 'os' ? inSandbox(runtime) : runtime)
      if (floor === 'os' && pool > 0) {
        await (await subject.start()).stop(5_000)
        await runtime.warm()
      }
      return subject
    }

    const isOwn = (instance: Instance, subject: HostileSubject): boolean =>
      floor === 'os'
        ? instance.directories?.exchange === subject.path('own/exchange')
        : instance.directories?.data === subject.path('own/data')

    /** A child with grants is from the pool the second time. */
    const startWith = async (subject: HostileSubject, grants: Partial<Grants>): Promise<Instance> => {
      if (pool > 0) {
        await (await subject.start({ grants })).stop(5_000)
        await (subject.runtime as PooledRuntime).warm()
      }
      const instance = await subject.start({ grants })
      assert.equal(isOwn(instance, subject), pool === 0)
      return instance
    }

    test('knows its directories by the names it was granted', async (t) => {
      const subject = await subjectOf(t)
      const instance = await subject.start()
      const own = (await subject.attack(instance, 'own')).value
      assert.deepEqual(own, instance.directories)
      assert.equal(isOwn(instance, subject), pool === 0)
    })

    test('reads no file and no directory it was not granted, by any way', async (t) => {
      const subject = await subjectOf(t)
      const secret = await plant(subject)
      const instance = await subject.start()
      for (const path of [
        secret,
        '/etc/passwd',
        '/proc/self/environ',
        `/proc/${process.pid}/environ`,
        '/proc/self/maps',
        import.meta.filename,
      ]) {
        for (const way of ['read', 'readAsync', 'readBuffer', 'readUrl', 'readBlob', 'readStream', 'copyIn', 'stat', 'import']) {
          await denied(subject, instance, way, { path })
        }
      }
      for (const path of ['/', '/etc', subject.root, subject.path('own'), subject.path('other/data')]) {
        await denied(subject, instance, 'list', { path })
      }
      await denied(subject, instance, 'relative', { path: '../../../../../etc/passwd' })
    })

    test("does not reach another plugin's files by climbing out of its own", async (t) => {
      const subject = await subjectOf(t)
      await plant(subject)
      await writeFile(subject.path('own/secret'), 'secret')
      const instance = await subject.start()
      const own = (await subject.attack(instance, 'own')).value as Record<string, string>
      for (const at of ['code', 'data', 'exchange']) {
        for (const path of [
          '../secret',
          '../../other/data/secret',
          '../data/../secret',
          './../../secret',
          `../../${own['data']?.split('/').at(-2)}/secret`,
        ]) {
          const { value, code } = await subject.attack(instance, 'climb', { at, path })
          assert.equal(value, undefined, `${at}/${path}`)
          assert.match(code ?? '', /ERR_ACCESS_DENIED|ENOENT/, `${at}/${path}`)
        }
      }
    })

    test('is led out by none of its directories, wherever it moves them', async (t) => {
      const subject = await subjectOf(t)
      const secret = await plant(subject)
      const instance = await subject.start()
      const outcome = await subject.attack(instance, 'moveAndClimb', { path: secret.slice(1) })
      assert.deepEqual(outcome.value ?? [], [])
    })

    test('is led out by no link it was granted, wherever it moves it', async (t) => {
      const subject = await subjectOf(t)
      const secret = await plant(subject)
      await mkdir(subject.path('target'))
      await symlink(subject.path('target'), subject.path('link'))
      const link = [subject.path('link')]
      const instance = await startWith(subject, { fsRead: link, fsWrite: link })
      const outcome = await subject.attack(instance, 'moveAndClimb', { from: subject.path('link'), path: secret.slice(1) })
      assert.deepEqual(outcome, { code: 'ERR_ACCESS_DENIED' })
      assert.deepEqual((await readdir(subject.root)).toSorted(), ['link', 'other', 'own', 'target'])
    })

    test('writes, removes, renames and changes nothing outside its directories', async (t) => {
      const subject = await subjectOf(t)
      const secret = await plant(subject)
      const instance = await subject.start()
      for (const path of [secret, subject.path('new'), subject.path('own/new'), '/tmp/backplane-test-new']) {
        for (const way of ['write', 'append', 'remove', 'chmod']) await denied(subject, instance, way, { path })
      }
      await denied(subject, instance, 'rename', { path: secret, to: subject.path('own/data/taken') })
      for (const way of ['report', 'heapSnapshot']) await denied(subject, instance, way, { path: subject.path('dump') })
      assert.equal(await readFile(secret, 'utf8'), 'secret')
      assert.deepEqual((await readdir(subject.root)).toSorted(), ['other', 'own'])
    })

    test('cannot change its own code', async (t) => {
      const subject = await subjectOf(t)
      const instance = await subject.start()
      for (const way of ['rewriteSelf', 'addToSelf']) await denied(subject, instance, way)
    })

    test('makes no link that leads out', async (t) => {
      const subject = await subjectOf(t)
      const secret = await plant(subject)
      const instance = await subject.start()
      for (const way of ['symlink', 'hardLink']) {
        for (const target of [secret, '../../other/data/secret', '/etc/passwd']) {
          const { value } = await subject.attack(instance, way, { target })
          assert.equal(value, undefined, `${way} ${target}`)
        }
      }
      assert.deepEqual(await readdir(subject.path('own/data')), [])
    })

    test('has an empty environment and learns nothing from its command line', async (t) => {
      process.env['BACKPLANE_TEST_SECRET'] = 'secret'
      t.after(() => delete process.env['BACKPLANE_TEST_SECRET'])
      const subject = await subjectOf(t)
      const instance = await subject.start()
      assert.deepEqual(await subject.attack(instance, 'environment'), { value: {} })
      assert.equal(((await subject.attack(instance, 'arguments')).value as string[]).length, 1)
    })

    test('starts no program, no thread, and loads no native code', async (t) => {
      const subject = await subjectOf(t)
      const instance = await subject.start()
      for (const way of [
        'shell',
        'shellAsync',
        'node',
        'worker',
        'addon',
        'binding',
        'inspector',
        'wasi',
        'sqlite',
        'foreignFunctions',
      ]) {
        await stopped(
          /ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED|ERR_UNKNOWN_BUILTIN_MODULE|ERR_INSPECTOR/,
          way,
          subject.attack(instance, way),
        )
      }
      await subject.attack(instance, 'regain')
      await denied(subject, instance, 'shell')
    })

    test('reaches no network: nothing arrives at a listener of the same machine', async (t) => {
      const subject = await subjectOf(t)
      const { port, path, connections, datagrams } = await listeners(t, subject)
      const instance = await subject.start()
      for (const way of ['tcp', 'fetch', 'unix', 'udp', 'resolve', 'listen']) {
        const outcome = await subject.attack(instance, way, { port, path }).catch((error: unknown) => ({ code: String(error) }))
        assert.equal('value' in outcome, false, `${way} ${JSON.stringify(outcome)}`)
      }
      assert.deepEqual([connections(), datagrams()], [0, 0])
    })

    test('reads and writes what it was granted, and nothing beside it', async (t) => {
      const subject = await subjectOf(t)
      await plant(subject)
      for (const directory of ['images', 'images-private', 'drop']) await mkdir(subject.path(directory))
      for (const file of ['images/a', 'images-private/a', 'one-file', 'one-file-more'])
        await writeFile(subject.path(file), 'content')
      await chmod(subject.path('drop'), 0o777)
      await symlink(subject.path('images'), subject.path('link-to-images'))
      const grants = {
        fsRead: [subject.path('images'), subject.path('one-file'), subject.path('link-to-images'), subject.path('later')],
        fsWrite: [subject.path('drop')],
      }
      const instance = await startWith(subject, grants)
      await mkdir(subject.path('later'))
      await writeFile(subject.path('later/a'), 'content')
      // What was not there at the start is not in a sandbox.
      const later = floor === 'os' ? [] : ['later/a']
      for (const file of ['images/a', 'one-file', 'link-to-images/a', ...later]) {
        assert.deepEqual(await subject.attack(instance, 'read', { path: subject.path(file) }), { value: 'content' }, file)
        await denied(subject, instance, 'write', { path: subject.path(file) })
      }
      for (const file of ['images-private/a', 'one-file-more', 'images/../other/data/secret']) {
        await denied(subject, instance, 'read', { path: subject.path(file) })
      }
      assert.equal((await subject.attack(instance, 'write', { path: subject.path('drop/new') })).code, undefined)
      await denied(subject, instance, 'read', { path: subject.path('drop/new') })
      assert.equal(await readFile(subject.path('drop/new'), 'utf8'), 'written')
    })

    test('lists a directory it was granted although its name begins another that was granted, or another lies in it', async (t) => {
      const subject = await subjectOf(t)
      for (const path of ['disks/nested', 'disks-old', 'disks-other']) await mkdir(subject.path(path), { recursive: true })
      const fsRead = ['disks/nested', 'disks', 'disks-old'].map((path) => subject.path(path))
      const instance = await startWith(subject, { fsRead })
      assert.deepEqual(await subject.attack(instance, 'list', { path: subject.path('disks') }), { value: ['nested'] })
      for (const path of ['disks/nested', 'disks-old']) {
        assert.deepEqual(await subject.attack(instance, 'list', { path: subject.path(path) }), { value: [] }, path)
      }
      await denied(subject, instance, 'list', { path: subject.path('disks-other') })
      await denied(subject, instance, 'list', { path: subject.path('disks/..') })
    })

    test('starts programs and reaches the network once that is granted', async (t) => {
      const subject = await subjectOf(t)
      const { port, path } = await listeners(t, subject)
      const instance = await startWith(subject, { exec: ['echo'], net: [`127.0.0.1:${port}`] })
      assert.deepEqual(await subject.attack(instance, 'output', { program: 'echo', args: ['hello'] }), { value: 'hello\n' })
      assert.equal((await subject.attack(instance, 'output', { program: 'no-such-program', args: [] })).code, 'ENOENT')
      assert.deepEqual(await subject.attack(instance, 'tcp', { port, path }), { value: 'connected' })
    })

    test('is granted programs without the network, and the network without programs', async (t) => {
      const subject = await subjectOf(t)
      const { port } = await listeners(t, subject)
      const programs = await startWith(subject, { exec: ['echo'] })
      await denied(subject, programs, 'tcp', { port })
      const network = await startWith(subject, { net: ['127.0.0.1:1'] })
      await denied(subject, network, 'shell')
    })
  })
}

test('a path that would grant more than it says is refused', async (t) => {
  const subject = await HostileSubject.make(t, confinedFor({}))
  for (const path of ['/tmp/*', '/etc/pass*', 'relative', '/tmp/a\0b']) {
    await assert.rejects(subject.start({ grants: { fsRead: [path] } }), { code: 'RUNTIME_GRANT_UNUSABLE' })
  }
})

function confinedFor(options: ConfinedOptions): PooledRuntime {
  return confined({ modules: hostModules, ...options })
}

/** Another plugin's file. */
async function plant(subject: HostileSubject): Promise<string> {
  await mkdir(subject.path('other/data'), { recursive: true })
  await writeFile(subject.path('other/data/secret'), 'secret')
  return subject.path('other/data/secret')
}

/** Checks that an attack is stopped by the permission model, or finds nothing where a module would be. */
async function denied(subject: HostileSubject, instance: Instance, name: string, given: object = {}): Promise<void> {
  await stopped(
    /ERR_ACCESS_DENIED|ERR_MODULE_NOT_FOUND/,
    `${name} ${JSON.stringify(given)}`,
    subject.attack(instance, name, given),
  )
}

async function stopped(code: RegExp, what: string, attack: Promise<Outcome>): Promise<void> {
  const outcome = await attack
  assert.equal('value' in outcome, false, `${what}: ${JSON.stringify(outcome)}`)
  assert.match(outcome.code ?? '', code, what)
}

interface Listeners {
  readonly port: number
  readonly path: string
  readonly connections: () => number
  readonly datagrams: () => number
}

/** Listeners on loopback and on a path that count who comes. */
async function listeners(t: TestContext, subject: HostileSubject): Promise<Listeners> {
  let connections = 0
  let datagrams = 0
  const tcp = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  const unix = createServer((socket) => {
    connections += 1
    socket.destroy()
  })
  const udp = createSocket('udp4').on('message', () => (datagrams += 1))
  const path = subject.path('own/socket')
  await once(tcp.listen(0, '127.0.0.1'), 'listening')
  await once(unix.listen(path), 'listening')
  const { port } = tcp.address() as { port: number }
  udp.bind(port, '127.0.0.1')
  await once(udp, 'listening')
  t.after(() => {
    tcp.close()
    unix.close()
    udp.close()
  })
  return { port, path, connections: () => connections, datagrams: () => datagrams }
}
