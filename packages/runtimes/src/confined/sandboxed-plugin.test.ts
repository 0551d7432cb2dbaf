import assert from 'node:assert/strict'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { describe, test, type TestContext } from 'node:test'
import { rejection, requireProgram } from '@backplane/testing'
import { hostModules } from '../fixtures/host-modules.ts'
import { HostileSubject } from '../fixtures/hostile-subject.ts'
import { inSandbox } from '../fixtures/in-sandbox.ts'
import { confined } from './confined.ts'
import type { ConfinedOptions } from './confined-options.ts'

describe('a plugin in a sandbox', { concurrency: 2 }, () => {
  const rule = (title: string, check: (subject: HostileSubject, t: TestContext) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => {
      if (requireProgram(t, 'bwrap', 'bubblewrap')) await check(await subjectOf(t), t)
    })
  }

  rule('that takes memory outside its heap is ended, and that is the cause', async (subject) => {
    const instance = await subject.start({ limits: { memoryMiB: 160 } })
    const call = rejection(subject.attack(instance, 'eatBuffers', { megabytes: 4_096 }))
    assert.equal((await instance.exited).kind, 'memory')
    assert.equal((await call)['code'], 'RUNTIME_EXITED')
    assert.match((await call).message, /used up its memory/)
  })

  rule('that uses up its heap is ended, and that is the cause', async (subject) => {
    const instance = await subject.start({ limits: { memoryMiB: 96 } })
    const call = rejection(subject.attack(instance, 'eatHeap'))
    assert.equal((await instance.exited).kind, 'memory')
    await call
  })

  rule('that exits or is killed ends with its own cause', async (subject) => {
    const exits = await subject.start()
    const call = rejection(subject.attack(exits, 'exit', { code: 3 }))
    assert.deepEqual(await exits.exited, { kind: 'exit', code: 3, lastLines: [] })
    await call
    const aborts = await subject.start()
    const aborted = rejection(subject.attack(aborts, 'abort'))
    const cause = await aborts.exited
    assert.equal(cause.kind === 'signal' ? cause.signal : cause, 'SIGABRT')
    await aborted
  })

  rule('is seen from outside: memory, processes, files, processor time', async (subject) => {
    const instance = await subject.start()
    const { memoryBytes = 0, processes = 0, openFiles = 0, cpuMs = 0, heapBytes } = await instance.usage(5_000)
    const isSeen = memoryBytes > 20 * 1024 ** 2 && processes >= 3 && openFiles > 5 && cpuMs > 0
    assert.ok(isSeen, JSON.stringify({ memoryBytes, processes, openFiles, cpuMs }))
    assert.notEqual(heapBytes, undefined)
    const hung = subject.attack(instance, 'loop').catch(() => undefined)
    const blind = await instance.usage(200)
    assert.equal(blind.heapBytes, undefined)
    assert.ok((blind.memoryBytes ?? 0) > 0, 'what is seen from outside does not need its answer')
    await instance.stop(0)
    await hung
  })

  rule('that holds more files than it may in its data directory is told of', async (subject) => {
    const instance = await subject.start({ limits: { dataFiles: 100 } })
    await subject.attack(instance, 'makeFiles', { count: 200 })
    await subject.host.violation('data')
  })

  rule('that uses more of a processor than it may is told of', async (subject) => {
    const instance = await subject.start({ limits: { cpuPercent: 20 } })
    const burning = subject.attack(instance, 'burn', { forMs: 5_000 }).catch(() => undefined)
    await subject.host.violation('cpu')
    await instance.stop(0)
    await burning
  })

  rule('is told when its user may not use what was granted', async (subject, t) => {
    if (process.getuid?.() !== 0) return t.skip('only root can give users')
    await mkdir(subject.path('private'), { mode: 0o700 })
    await mkdir(subject.path('shared'))
    await chmod(subject.path('shared'), 0o777)
    const fsWrite = [subject.path('private'), subject.path('shared')]
    const instance = await subject.start({ grants: { fsWrite } })
    const told = subject.host.lines.filter(({ message }) => message.includes('which was granted'))
    assert.deepEqual(
      told.map(({ level, message }) => [level, message.replace(/user \d+/, 'user N')]),
      [['warn', `its user N may not write ${subject.path('private')}, which was granted: chgrp 60706 and chmod g+rwX it`]],
    )
    assert.equal((await subject.attack(instance, 'write', { path: subject.path('private/a') })).code, 'EACCES')
    assert.equal((await subject.attack(instance, 'write', { path: subject.path('shared/a') })).code, undefined)
  })

  rule('owns its data and exchange directories when the host is root, and is not root', async (subject, t) => {
    if (process.getuid?.() !== 0) return t.skip('only root can give users')
    await subject.start()
    const { uid } = await stat(subject.path('own/data'))
    assert.ok(uid >= 60_706)
    assert.equal((await stat(subject.path('own/exchange'))).uid, uid)
  })
})

test('where no sandbox can be built, a plugin that needs one is refused with what is missing', async (t) => {
  const subject = await subjectOf(t, { bwrap: false })
  const error = await rejection(subject.start())
  assert.equal(error['code'], 'RUNTIME_SANDBOX_UNAVAILABLE')
  assert.match(error.message, /bubblewrap is missing/)
})

test('without a sandbox, memory outside the heap is looked at by the host, and its use is the end', async (t) => {
  const subject = await HostileSubject.make(t, confined({ modules: hostModules }))
  const instance = await subject.start({ limits: { memoryMiB: 64 } })
  const call = rejection(subject.attack(instance, 'holdBuffers', { megabytes: 512 }))
  const cause = await instance.exited
  assert.equal(cause.kind, 'memory')
  assert.match(cause.kind === 'memory' ? cause.detail : '', /^held \d+ MiB of 160 MiB$/)
  assert.equal(subject.host.violations.filter((one) => one.kind === 'limit' && one.limit === 'memory').length, 1)
  await call
})

function subjectOf(t: TestContext, options: ConfinedOptions = {}): Promise<HostileSubject> {
  return HostileSubject.make(t, inSandbox(confined({ modules: hostModules, ...options })))
}
