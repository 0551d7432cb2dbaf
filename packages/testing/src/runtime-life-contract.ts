import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, counter, filesAt, itemsOf, plain, rejection, RuntimeSubject, type MakeRuntime } from './runtime-subject.ts'

/** Starting and stopping. */
export function runtimeLifeRules(make: MakeRuntime): void {
  const rule = (title: string, check: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, { timeout: 120_000 }, async (t) => check(await RuntimeSubject.make(t, make)))
  }

  rule('a started plugin lists exactly what it registered, with the methods it supplies', async (subject) => {
    const instance = await subject.start()
    assert.equal(instance.tier, subject.runtime.tier)
    assert.deepEqual(
      instance.contributions.map(({ point, name, kind }) => [point, name, kind]),
      [
        ['contract.hook', 'shout', 'hook'],
        ['contract.data', 'panel', 'data'],
        ['contract.opened', 'counter', 'provider'],
        ['contract.plain', 'all', 'provider'],
      ],
    )
    const [, data, opened, all] = instance.contributions
    assert.deepEqual(data?.value, { title: 'Panel' })
    assert.deepEqual(opened?.methods, [])
    assert.equal(all?.methods.includes('echo'), true)
    assert.equal(all?.methods.includes('absent'), false)
    await instance.ping(10_000)
  })

  rule('stopping aborts the scope, undoes everything last registered first, and happens once', async (subject) => {
    const instance = await subject.start()
    await Promise.all([instance.stop(10_000), instance.stop(0)])
    await instance.stop(0)
    assert.deepEqual(await instance.exited, { kind: 'stopped' })
    assert.deepEqual(subject.messages('signal'), ['signal aborted'])
    assert.deepEqual(subject.messages('cleanup'), ['cleanup third', 'cleanup second', 'cleanup first'])
  })

  rule('a stopped plugin takes no calls and says why', async (subject) => {
    const instance = await subject.start()
    await instance.stop(10_000)
    const answers = [
      instance.call(plain('echo'), 1, context()),
      instance.open(counter('open'), { start: 1 }, context()),
      itemsOf(instance.stream(plain('count'), 1, context())),
      instance.ping(1_000),
    ]
    for (const answer of answers) {
      const error = await rejection(answer)
      assert.equal(error['code'], 'RUNTIME_EXITED')
      assert.match(error.message, /contract\/everything.*stopped/)
    }
  })

  rule('a setup that throws fails the start with its error as cause, after what it deferred has run', async (subject) => {
    const error = await rejection(subject.start({ config: { setup: 'throw' } }))
    assert.equal(error['code'], 'RUNTIME_SETUP_FAILED')
    assert.equal(error['plugin'], 'contract/everything')
    assert.match(error.message, /no luck/)
    const cause = error.cause as { code: string; message: string; cause: Error }
    assert.deepEqual([cause.code, cause.message, cause.cause.message], ['NO_LUCK', 'no luck', 'deeper'])
    assert.deepEqual(subject.messages('cleanup'), ['cleanup third', 'cleanup second', 'cleanup first'])
  })

  rule('a setup that never ends fails the start at its deadline', async (subject) => {
    const error = await rejection(subject.start({ config: { setup: 'hang' }, readyMs: 1_000 }))
    assert.equal(error['code'], 'RUNTIME_NOT_READY')
  })

  rule('a start that is cancelled ends with the reason', async (subject) => {
    const reason = new Error('changed my mind')
    assert.equal(await rejection(subject.start({ signal: AbortSignal.abort(reason) })), reason)
    const controller = new AbortController()
    const starting = subject.start({ config: { setup: 'hang' }, signal: controller.signal })
    await subject.line('setup')
    controller.abort(reason)
    assert.equal(await rejection(starting), reason)
  })

  for (const [what, source] of [
    ['is not there', undefined],
    ['has an error of syntax', 'export default {'],
    ['throws', 'throw new Error("on import")'],
    ['exports no plugin', 'export default { setup() {} }'],
    ['imports what nobody provides', 'import "no-such-module"'],
  ] as const) {
    rule(`a main module that ${what} fails the start as not loadable`, async (subject) => {
      const name = `${what.replaceAll(' ', '-')}.mjs`
      if (source !== undefined) await writeFile(join(subject.root, 'data', name), source)
      const error = await rejection(subject.start({ code: filesAt(join(subject.root, 'data'), name) }))
      assert.equal(error['code'], 'RUNTIME_LOAD_FAILED')
      assert.equal(error['plugin'], 'contract/everything')
    })
  }

  rule('registering what the manifest does not declare fails the start', async (subject) => {
    const named = await rejection(subject.start({ config: { setup: 'undeclared' } }))
    assert.equal(named['code'], 'POINT_UNDECLARED')
    assert.match(named.message, /contract\.hook "whisper"/)
    const point = await rejection(subject.start({ config: { setup: 'undeclared-point' } }))
    assert.equal(point['code'], 'POINT_UNDECLARED')
  })

  rule('registering a name twice fails the start', async (subject) => {
    assert.equal((await rejection(subject.start({ config: { setup: 'twice' } })))['code'], 'POINT_REGISTERED_TWICE')
  })

  rule('nothing is registered after setup', async (subject) => {
    const instance = await subject.start()
    const seen = (await instance.call(plain('scope'), null, context())) as { late: string }
    assert.equal(seen.late, 'SCOPE_SETUP_OVER')
  })

  rule('a cleanup that hangs or fails keeps neither the others nor the stop', async (subject) => {
    const instance = await subject.start({ config: { hangingCleanup: true, failingCleanup: true } })
    await instance.stop(2_000)
    assert.deepEqual(subject.messages('cleanup '), [
      'cleanup third',
      'cleanup second',
      'cleanup first',
      'cleanup failed: cleanup went wrong',
      ...subject.messages('cleanup failed: a cleanup took longer'),
    ])
    assert.equal(subject.messages('cleanup failed: a cleanup took longer').length, 1)
  })

  rule('two generations of one plugin run beside each other', async (subject) => {
    const [one, two] = await Promise.all([subject.start({ config: { at: 1 } }), subject.start({ config: { at: 2 } })])
    await one.stop(10_000)
    const seen = (await two.call(plain('scope'), null, context())) as { config: unknown }
    assert.deepEqual(seen.config, { at: 2 })
  })

  rule('disposing the runtime ends what runs and what starts, and nothing starts afterwards', async (subject) => {
    const instance = await subject.start()
    const starting = rejection(subject.start({ config: { setup: 'hang' } }))
    await subject.line('setup')
    await subject.runtime[Symbol.asyncDispose]()
    assert.deepEqual(await instance.exited, { kind: 'stopped' })
    assert.equal((await starting)['code'], 'RUNTIME_DISPOSED')
    assert.equal((await rejection(subject.start()))['code'], 'RUNTIME_DISPOSED')
  })

  rule('forty starts and stops leave no descriptor open', async (subject) => {
    const cycle = async (): Promise<void> => {
      const instance = await subject.start()
      assert.equal(await instance.call(plain('echo'), 1, context()), 1)
      await instance.stop(10_000)
    }
    await Promise.all([cycle(), cycle()])
    const before = (await readdir('/proc/self/fd')).length
    for (let at = 0; at < 19; at++) await Promise.all([cycle(), cycle()])
    // A pool may hold more or fewer spares than before; a leak would be forty.
    assert.ok((await readdir('/proc/self/fd')).length < before + 20)
  })
}
