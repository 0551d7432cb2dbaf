import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test, type TestContext } from 'node:test'
import type { ExitCause, Instance } from '@backplane/kernel'
import { rejection, type StartOptions } from '@backplane/testing'
import { confined } from '../confined/confined.ts'
import { contained } from '../contained/contained.ts'
import { hostModules } from '../fixtures/host-modules.ts'
import { HostileSubject } from '../fixtures/hostile-subject.ts'

for (const [tier, make] of [
  ['contained', contained],
  ['confined', confined],
] as const) {
  describe(`a ${tier} plugin that does not behave`, () => {
    const rule = (title: string, check: (subject: HostileSubject) => Promise<void>, hangMs = 60_000): void => {
      test(title, { timeout: 60_000 }, async (t: TestContext) =>
        check(await HostileSubject.make(t, make({ modules: hostModules, hangMs }))),
      )
    }

    for (const loop of ['loop', 'microtasks']) {
      rule(`and runs ${loop} for ever in a call is killed all the same`, async (subject) => {
        const instance = await subject.start()
        const controller = new AbortController()
        const call = rejection(subject.attack(instance, loop, {}, controller.signal))
        // The first ping may travel with the call, ahead of the loop.
        await instance.ping(200).catch(() => undefined)
        await assert.rejects(instance.ping(200), { code: 'RPC_HUNG' })
        controller.abort()
        assert.equal((await call).name, 'AbortError')
        await instance.stop(100)
        assert.deepEqual(await instance.exited, { kind: 'stopped' })
        assert.deepEqual(messages(subject, 'did not stop'), ['did not stop within 100 ms and is killed'])
      })
    }

    rule('and runs in a loop after its call was cancelled is ended, so that the next call finds a new one', loopsAfterCancel, 50)

    rule('and whose call is cancelled while its event loop runs goes on', async (subject) => {
      const instance = await subject.start()
      const controller = new AbortController()
      const call = rejection(subject.attack(instance, 'never', {}, controller.signal))
      controller.abort()
      assert.equal((await call).name, 'AbortError')
      await instance.ping(20_000)
      assert.deepEqual(await subject.attack(instance, 'large', { bytes: 3 }), { value: 'zzz' })
    })

    rule('and loops in its setup fails the start at its deadline, and is killed', async (subject) => {
      const error = await rejection(subject.start({ config: { loopInSetup: true }, readyMs: 1_000 }))
      assert.equal(error['code'], 'RUNTIME_NOT_READY')
    })

    rule('and exits during a call: the caller is told the plugin and the code', async (subject) => {
      const { error, cause } = await ended(subject, 'exit', { code: 3 })
      assert.equal(error['code'], 'RUNTIME_EXITED')
      assert.equal(error['plugin'], 'hostile/everything')
      assert.equal(error.message, 'hostile/everything is not running any more: it exited with code 3')
      assert.deepEqual(error['details'], { cause })
      assert.deepEqual(cause, { kind: 'exit', code: 3, lastLines: [] })
    })

    for (const [attack, text] of [
      ['throwLater', 'thrown later'],
      ['rejectLater', 'rejected later'],
    ] as const) {
      rule(`and fails outside of a call (${attack}) ends with the reason in its log`, async (subject) => {
        const { error, cause } = await ended(subject, attack)
        assert.match(error.message, new RegExp(`exited with code 1 after .*${text}`))
        assert.equal(cause.kind, 'exit')
        assert.ok(messages(subject, `Error: ${text}`).length > 0)
      })
    }

    rule('and uses up its memory ends by that cause', async (subject) => {
      const { error, cause } = await ended(subject, 'eatHeap', {}, { limits: { memoryMiB: 32 } })
      assert.equal(cause.kind, 'memory')
      assert.match(error.message, /used up its memory/)
    })

    rule('and answers more than a message may hold: the call fails, the plugin goes on', async (subject) => {
      const instance = await subject.start({ limits: { messageBytes: 300_000 } })
      const error = await rejection(subject.attack(instance, 'large', { bytes: 400_000 }))
      assert.equal(error['code'], 'RPC_MESSAGE_TOO_LARGE')
      assert.deepEqual(await subject.attack(instance, 'large', { bytes: 3 }), { value: 'zzz' })
    })

    rule('and answers what is no value: the call fails, the plugin goes on', async (subject) => {
      const instance = await subject.start()
      await rejection(subject.attack(instance, 'cyclic'))
      assert.deepEqual(await subject.attack(instance, 'large', { bytes: 3 }), { value: 'zzz' })
    })

    rule('what it prints is in its log, line by line', async (subject) => {
      const instance = await subject.start()
      await subject.attack(instance, 'print', { lines: 3, text: 'printed' })
      await subject.host.line('printed 2')
      assert.deepEqual(messages(subject, 'printed'), ['printed 0', 'printed 1', 'printed 2'])
    })

    rule('of lines that hold more than it may write only some are logged, and the rest is counted', async (subject) => {
      const instance = await subject.start({ limits: { outputBytesPerSecond: 20_000, outputBurstBytes: 20_000 } })
      await subject.attack(instance, 'logALot', { lines: 1_500 })
      const logged = (): number => messages(subject, 'logged ').length
      const dropped = (): number =>
        messages(subject, '').reduce((sum, message) => sum + Number(/^(\d+) lines were dropped/.exec(message)?.[1] ?? 0), 0)
      while (logged() + dropped() < 1_500) await new Promise((resolve) => setTimeout(resolve, 10))
      assert.equal(logged() + dropped(), 1_500)
      assert.ok(logged() < 1_000, `${logged()} lines were logged`)
      assert.deepEqual(await subject.attack(instance, 'large', { bytes: 3 }), { value: 'zzz' })
    })

    rule('of lines without measure only some are logged, and the rest is counted', async (subject) => {
      const instance = await subject.start()
      await subject.attack(instance, 'logALot', { lines: 5_000 })
      await instance.stop(5_000)
      const logged = messages(subject, 'logged ').length
      const dropped = messages(subject, '').flatMap((message) => /^(\d+) lines were dropped/.exec(message)?.[1] ?? [])
      assert.ok(logged < 4_000, `${logged} lines were logged`)
      assert.equal(logged + dropped.reduce((sum, count) => sum + Number(count), 0), 5_000)
    })
  })
}

describe('a confined plugin', () => {
  const rule = (title: string, check: (subject: HostileSubject) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t: TestContext) =>
      check(await HostileSubject.make(t, confined({ modules: hostModules }))),
    )
  }

  rule('that is killed from outside ends by that signal, and the next one starts', async (subject) => {
    const instance = await subject.start()
    const call = rejection(subject.attack(instance, 'never'))
    process.kill(instance.pid, 'SIGKILL')
    const error = await call
    assert.equal(error['code'], 'RUNTIME_EXITED')
    assert.match(error.message, /hostile\/everything .* SIGKILL/)
    assert.deepEqual(await instance.exited, { kind: 'signal', signal: 'SIGKILL', lastLines: [] })
    assert.deepEqual(await subject.attack(await subject.start(), 'large', { bytes: 3 }), { value: 'zzz' })
  })

  rule('that aborts itself ends by that signal', async (subject) => {
    const { cause } = await ended(subject, 'abort')
    assert.equal(cause.kind === 'signal' ? cause.signal : cause.kind, 'SIGABRT')
  })

  rule('does not end by what a terminal or a service manager sends to everybody', async (subject) => {
    const instance = await subject.start()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(instance.pid, signal)
    assert.deepEqual(await subject.attack(instance, 'large', { bytes: 3 }), { value: 'zzz' })
    await instance.stop(5_000)
    assert.deepEqual(await instance.exited, { kind: 'stopped' })
  })

  rule('that ignores SIGTERM and hangs is killed', async (subject) => {
    const instance = await subject.start({ config: { ignoreSigterm: true } })
    void rejection(subject.attack(instance, 'loop'))
    await instance.stop(100)
    assert.throws(() => process.kill(instance.pid, 0), { code: 'ESRCH' })
  })

  rule('that writes garbage into its channel is killed for it', async (subject) => {
    const { error, cause } = await ended(subject, 'garbage')
    assert.equal(cause.kind, 'protocol')
    assert.match(error.message, /broke the protocol/)
  })

  rule('that closes its channel is killed', async (subject) => {
    const { error } = await ended(subject, 'hangUp')
    assert.equal(error['code'], 'RUNTIME_EXITED')
  })

  rule('that floods its output is held back and costs its host no memory', async (subject) => {
    const instance = await subject.start()
    const before = process.memoryUsage().rss
    void rejection(subject.attack(instance, 'flood', { megabytes: 1_000 }))
    await subject.host.line('y'.repeat(1023))
    await assert.rejects(instance.ping(300), { code: 'RPC_HUNG' })
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2)
    await instance.stop(100)
  })

  rule('that prints without end of line has it cut', async (subject) => {
    const instance = await subject.start()
    await subject.attack(instance, 'printWithoutEnd', { bytes: 20_000 })
    await instance.stop(5_000)
    assert.deepEqual(
      messages(subject, 'x').map((line) => line.length),
      [8_192, 8_192, 20_000 - 2 * 8_192],
    )
  })

  test('whose process cannot even be made fails the start with what the system said', async (t) => {
    const subject = await HostileSubject.make(t, confined({ modules: hostModules, setpriv: '/nowhere/setpriv' }))
    const error = await rejection(subject.start())
    assert.equal(error['code'], 'RUNTIME_EXITED')
    assert.match(error.message, /spawn \/nowhere\/setpriv ENOENT/)
  })

  test('leaves no process when its runtime is disposed, spares included', async (t) => {
    const runtime = confined({ modules: hostModules, pool: { size: 2 } })
    const subject = await HostileSubject.make(t, runtime)
    await runtime.warm()
    const instances = await Promise.all([subject.start(), subject.start(), subject.start()])
    await runtime[Symbol.asyncDispose]()
    for (const { pid } of instances) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    assert.deepEqual(await childrenOf(process.pid), [])
  })
})

async function loopsAfterCancel(subject: HostileSubject): Promise<void> {
  const instance = await subject.start()
  const controller = new AbortController()
  const call = rejection(subject.attack(instance, 'loop', {}, controller.signal))
  await instance.ping(200).catch(() => undefined)
  const other = rejection(subject.attack(instance, 'large', { bytes: 3 }))
  controller.abort()
  assert.equal((await call).name, 'AbortError')
  assert.deepEqual((await other)['code'], 'RUNTIME_EXITED')
  const cause = await instance.exited
  assert.equal(
    cause.kind === 'hang' ? cause.detail : cause.kind,
    'its event loop stood still for 50 ms after a call was given up',
  )
}

/** Runs an attack that ends the plugin; answers what its caller got, and why it ended. */
async function ended(
  subject: HostileSubject,
  attack: string,
  given: object = {},
  options: StartOptions = {},
): Promise<{ readonly error: Record<string, unknown> & Error; readonly cause: ExitCause }> {
  const instance: Instance = await subject.start(options)
  const error = await rejection(subject.attack(instance, attack, given))
  return { error, cause: await instance.exited }
}

function messages(subject: HostileSubject, prefix: string): readonly string[] {
  return subject.host.lines.map(({ message }) => message).filter((message) => message.startsWith(prefix))
}

/** Processes this one started that are still there, except those of the test runner's own. */
async function childrenOf(pid: number): Promise<readonly string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter((child) => child !== '')
}
