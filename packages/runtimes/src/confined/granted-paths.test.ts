import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Grants } from '@backplane/kernel'
import { requireProgram } from '@backplane/testing'
import { BareSandbox } from '../fixtures/bare-sandbox.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { HostileSubject } from '../fixtures/hostile-subject.ts'
import { confined } from './confined.ts'

/** One granted thing among others, and what may be done at each path then: r, w, both or nothing. */
const combinations: readonly {
  readonly what: string
  readonly reads?: readonly string[]
  readonly writes?: readonly string[]
  readonly may: Readonly<Record<string, string>>
}[] = [
  {
    what: 'one beginning with the name of another',
    reads: ['data', 'database'],
    may: { 'data/f': 'r', 'database/f': 'r', 'dat/f': '' },
  },
  { what: 'the same for writing', writes: ['data', 'database'], may: { 'data/f': 'w', 'database/f': 'w', 'dat/f': '' } },
  { what: 'the shorter alone', reads: ['data'], writes: ['data'], may: { 'data/f': 'rw', 'database/f': '' } },
  { what: 'the longer alone', reads: ['database'], writes: ['database'], may: { 'data/f': '', 'database/f': 'rw' } },
  { what: 'one to read in one to read', reads: ['a', 'a/b'], may: { 'a/f': 'r', 'a/b/f': 'r', 'a/b/c/f': 'r' } },
  { what: 'one to write in one to read', reads: ['a'], writes: ['a/b'], may: { 'a/f': 'r', 'a/b/f': 'rw', 'a/b/c/f': 'rw' } },
  { what: 'one to read in one to write', reads: ['a/b'], writes: ['a'], may: { 'a/f': 'w', 'a/b/f': 'rw', 'a/b/c/f': 'rw' } },
  { what: 'one to write in one to write', writes: ['a/b', 'a'], may: { 'a/f': 'w', 'a/b/f': 'w', 'a/b/c/f': 'w' } },
  { what: 'three levels', reads: ['a', 'a/b/c'], writes: ['a/b'], may: { 'a/f': 'r', 'a/b/f': 'rw', 'a/b/c/f': 'rw' } },
  { what: 'a file to write in one to read', reads: ['a'], writes: ['a/f'], may: { 'a/f': 'rw', 'a/b/f': 'r' } },
  {
    what: 'files with a common beginning',
    reads: ['a/f'],
    writes: ['a/f-more'],
    may: { 'a/f': 'r', 'a/f-more': 'w', 'a/b/f': '' },
  },
  { what: 'a link', reads: ['link'], may: { 'link/f': 'r', 'a/f': 'r', 'data/f': '' } },
  { what: 'a link and what it leads to', reads: ['link', 'a'], may: { 'link/f': 'r', 'a/b/f': 'r' } },
  { what: 'a path through a link', reads: ['link/b'], may: { 'link/b/f': 'r', 'a/b/f': 'r', 'link/f': '', 'a/f': '' } },
  { what: 'a link in one to read', reads: ['a', 'a/out'], may: { 'a/out/f': 'r', 'data/f': 'r', 'a/f': 'r' } },
  {
    what: 'what lies behind a link in one to read',
    reads: ['a', 'a/out/x'],
    may: { 'a/out/x/f': 'r', 'data/x/f': 'r', 'a/f': 'r' },
  },
  { what: 'a link behind a link', reads: ['link/b', 'chain/b'], may: { 'chain/b/f': 'r', 'link/b/f': 'r' } },
  { what: 'a link to write through', writes: ['link'], reads: ['link'], may: { 'a/f': 'rw', 'link/f': 'r' } },
]

for (const floor of ['process', 'os'] as const) {
  describe(`of granted paths, in isolation ${floor}, a plugin gets exactly what they say`, { concurrency: 2 }, () => {
    for (const { what, reads = [], writes = [], may } of combinations) {
      test(what, { timeout: 60_000 }, async (t) => {
        if (floor === 'os' && !requireProgram(t, 'bwrap', 'bubblewrap')) return
        const subject = await laidOut(t)
        const paths = (names: readonly string[]): readonly string[] => names.map((name) => subject.path(name))
        const instance = await subject.start({ grants: { fsRead: paths(reads), fsWrite: paths(writes) }, isolation: { floor } })
        for (const [name, modes] of Object.entries(may)) {
          const path = subject.path(name)
          const { value } = await subject.attack(instance, 'read', { path })
          const { code } = await subject.attack(instance, 'append', { path })
          const found = `${value === undefined ? '' : 'r'}${code === undefined ? 'w' : ''}`
          assert.equal(found, modes, `${name}: ${code}`)
        }
        for (const name of writes.filter((one) => !one.includes('link') && !one.includes('f'))) {
          const path = subject.path(name)
          assert.deepEqual(await subject.attack(instance, 'makeSure', { path }), { value: 'there' }, name)
          assert.equal((await subject.attack(instance, 'makeDirectory', { path })).code, 'EEXIST', name)
        }
        await instance.stop(5_000)
      })
    }
  })
}

describe('a path to write that holds what a plugin is made of', () => {
  const rule = (title: string, grants: (subject: HostileSubject) => Promise<Partial<Grants>>): void => {
    test(`is refused: ${title}`, async (t) => {
      const subject = await laidOut(t)
      await assert.rejects(subject.start({ grants: await grants(subject) }), { code: 'RUNTIME_GRANT_TOO_WIDE' })
    })
  }
  const code = dirname(new URL('../fixtures/hostile-plugin/index.js', import.meta.url).pathname)
  rule('all there is', async () => ({ fsWrite: ['/'] }))
  rule('its own directories', async (subject) => ({ fsWrite: [subject.path('own')] }))
  rule('what is above its code', async () => ({ fsWrite: [dirname(code)] }))
  rule('what is in its code', async () => ({ fsWrite: [code] }))
  rule('by way of a link', async (subject) => {
    await symlink(dirname(code), subject.path('to-code'))
    return { fsWrite: [subject.path('to-code')] }
  })
  rule('the program that runs it', async () => ({ fsWrite: [dirname(await realpath(process.execPath))] }))
})

test('a name that a plugin can make lead elsewhere is granted as a name: not what it leads to at the next start', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  for (const names of [['a/b'], ['own/data/sub'], ['link/b']]) {
    const subject = await laidOut(t)
    await mkdir(subject.path('secrets'))
    await writeFile(subject.path('secrets/f'), 'secret')
    // As the plugin would leave it, by a program it was granted.
    const [name = ''] = names
    const place = name === 'link/b' ? 'a/b' : name
    await mkdir(subject.path('own/data'), { recursive: true })
    if (place === 'a/b') await rm(subject.path('a/b'), { recursive: true })
    await symlink(subject.path('secrets'), subject.path(place))
    const paths = names.map((one) => subject.path(one))
    const grants = { fsRead: paths, fsWrite: [subject.path('a'), ...paths] }
    const instance = await subject.start({ grants, isolation: { floor: 'os' } })
    for (const path of [subject.path(`${name}/f`), subject.path('secrets/f')]) {
      assert.equal((await subject.attack(instance, 'read', { path })).value, undefined, path)
      assert.notEqual((await subject.attack(instance, 'append', { path })).code, undefined, path)
    }
    await instance.stop(5_000)
    assert.equal(await readFile(subject.path('secrets/f'), 'utf8'), 'secret')
  }
})

test('the sandbox alone, without the permission model, shows nothing that a planted link leads to', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const sandbox = await BareSandbox.make(t)
  await mkdir(sandbox.path('shared'))
  await mkdir(sandbox.path('secrets'))
  await writeFile(sandbox.path('secrets/f'), 'secret')
  await symlink(sandbox.path('secrets'), sandbox.path('shared/b'))
  const options = { writes: [sandbox.path('shared'), sandbox.path('shared/b')], reads: [sandbox.path('shared/b')] }
  for (const path of ['secrets/f', 'shared/b/f']) {
    const { outcome } = await sandbox.run('read', { path: sandbox.path(path) }, options)
    assert.equal(outcome.code, 'ENOENT', path)
  }
})

test('a link of the system itself is granted beside what every sandbox has by that name', async (t) => {
  if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
  const subject = await laidOut(t)
  const instance = await subject.start({ grants: { fsRead: ['/lib', '/usr/share'] }, isolation: { floor: 'os' } })
  assert.ok(Array.isArray((await subject.attack(instance, 'list', { path: '/lib' })).value))
  assert.ok(Array.isArray((await subject.attack(instance, 'list', { path: '/usr/share' })).value))
  await instance.stop(5_000)
})

async function laidOut(t: TestContext): Promise<HostileSubject> {
  const subject = await HostileSubject.make(t, confined({ modules: hostModules }))
  const directories = ['a', 'a/b', 'a/b/c', 'data', 'data/x', 'database', 'dat']
  for (const name of directories) {
    await mkdir(subject.path(name))
    await chmod(subject.path(name), 0o777)
    for (const file of ['f', 'f-more']) {
      await writeFile(subject.path(`${name}/${file}`), 'content')
      await chmod(subject.path(`${name}/${file}`), 0o666)
    }
  }
  await symlink(subject.path('a'), subject.path('link'))
  await symlink('link', subject.path('chain'))
  await symlink('../data', subject.path('a/out'))
  return subject
}
