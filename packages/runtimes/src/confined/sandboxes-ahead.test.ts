import assert from 'node:assert/strict'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import type { Instance } from '@backplane/kernel'
import { requireProgram, temporaryDirectory, type StartOptions } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { HostileSubject } from '../fixtures/hostile-subject.ts'
import type { PooledRuntime } from '../pool/pooled-runtime.ts'
import { makeCodePlace } from './code-place.ts'
import { confined } from './confined.ts'

const os = { isolation: { floor: 'os' } } as const

describe('a sandbox made ahead', { concurrency: 2 }, () => {
  const rule = (title: string, check: (subject: HostileSubject, t: TestContext) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => {
      if (!requireProgram(t, 'bwrap', 'bubblewrap')) return
      await check(await HostileSubject.make(t, confined({ modules: hostModules, pool: { size: 1 } })), t)
    })
  }

  rule('is there for the second start of a plugin, and for the third while the second runs', async (subject) => {
    const first = await start(subject)
    const second = await start(subject)
    const third = await start(subject)
    assert.deepEqual(
      [first, second, third].map((one) => isAhead(one, subject)),
      [false, true, true],
    )
    assert.notEqual(second.directories?.code, third.directories?.code)
    assert.notEqual(second.directories?.exchange, third.directories?.exchange)
    const path = join(third.directories?.exchange ?? '', 'file')
    assert.equal((await subject.attack(second, 'write', { path })).code, 'ERR_ACCESS_DENIED')
    await writeFile(path, 'handed over')
    assert.equal(dirname(third.directories?.exchange ?? ''), subject.path('own'), 'on the volume the host chose')
    assert.deepEqual(await subject.attack(third, 'read', { path }), { value: 'handed over' })
  })

  rule('is not for a start with other grants or limits', async (subject) => {
    await start(subject)
    assert.equal(isAhead(await start(subject, { grants: { fsRead: ['/usr/share'] } }), subject), false)
    assert.equal(isAhead(await start(subject, { limits: { processes: 50 } }), subject), false)
  })

  rule('is not taken when what was granted is another file since, or its data another directory', async (subject) => {
    const file = subject.path('settings')
    await writeFile(file, 'old')
    const grants = { grants: { fsRead: [file] } }
    await start(subject, grants)
    await writeFile(subject.path('new'), 'new')
    await rename(subject.path('new'), file)
    const second = await start(subject, grants)
    assert.equal(isAhead(second, subject), false)
    assert.deepEqual(await subject.attack(second, 'read', { path: file }), { value: 'new' })
    await rename(subject.path('own/data'), subject.path('own/before'))
    await mkdir(subject.path('own/data'))
    assert.equal(isAhead(await start(subject, grants), subject), false)
  })

  rule('leaves nothing behind', async (subject, t) => {
    const temporary = await temporaryDirectory(t)
    const runtime = confined({ modules: hostModules, pool: { size: 1 }, temporaryDirectory: temporary })
    const own = await HostileSubject.make(t, runtime)
    await start(own)
    const second = await start(own)
    await second.stop(5_000)
    await runtime[Symbol.asyncDispose]()
    assert.deepEqual(await readdir(temporary), [])
    assert.deepEqual((await readdir(own.path('own'))).toSorted(), ['data', 'exchange'])
    assert.ok(subject.root !== own.root)
  })
})

test('code with what is no file is not put into a place made ahead, nor is too much of it', async (t) => {
  const root = await temporaryDirectory(t)
  const from = join(root, 'from')
  await mkdir(join(from, 'lib'), { recursive: true })
  await writeFile(join(from, 'lib/index.js'), 'code', { mode: 0o444 })
  await using good = await makeCodePlace(root, root)
  assert.equal(await good.fill(from), true)
  assert.deepEqual(await readdir(good.code, { recursive: true }), ['lib', 'lib/index.js'])
  for (let at = 0; at < 501; at++) await writeFile(join(from, `${at}`), '')
  await using many = await makeCodePlace(root, root)
  assert.equal(await many.fill(from), false)
  await rm(from, { recursive: true })
  await mkdir(from)
  await writeFile(join(from, 'large'), Buffer.alloc(9 * 1024 ** 2))
  await using large = await makeCodePlace(root, root)
  assert.equal(await large.fill(from), false)
})

async function start(subject: HostileSubject, options: StartOptions = {}): Promise<Instance> {
  const instance = await subject.start({ ...os, ...options })
  await (subject.runtime as PooledRuntime).warm()
  return instance
}

function isAhead({ directories }: Instance, subject: HostileSubject): boolean {
  return directories?.exchange !== subject.path('own/exchange')
}
