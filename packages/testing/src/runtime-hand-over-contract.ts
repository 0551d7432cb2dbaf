import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, plain, rejection, RuntimeSubject, type MakeRuntime } from './runtime-subject.ts'

/** What a plugin says of its health, what one version hands to the next, and how what is stored is brought up to date. */
export function runtimeHandOverRules(make: MakeRuntime): void {
  const rule = (title: string, check: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => check(await RuntimeSubject.make(t, make)))
  }

  rule('a plugin that says nothing of its health is healthy, and hands over nothing', async (subject) => {
    const instance = await subject.start()
    await instance.health(10_000)
    assert.equal(await instance.snapshot(10_000), undefined)
    await instance.restore({ any: 'thing' }, 10_000)
  })

  rule('a health check that passes passes, one that throws fails with its error', async (subject) => {
    await (await subject.start({ config: { life: {} } })).health(10_000)
    const failing = await subject.start({ config: { life: { health: 'failing' } } })
    const error = await rejection(failing.health(10_000))
    assert.match(error.message, /the backend is gone/)
    assert.equal(error['code'], 'BACKEND_GONE')
  })

  rule('a health check that hangs fails at its deadline and harms nothing else', async (subject) => {
    const instance = await subject.start({ config: { life: { health: 'hanging' } } })
    assert.equal((await rejection(instance.health(200))).name, 'TimeoutError')
    assert.equal(await instance.call(plain('echo'), 'still here', context()), 'still here')
    await instance.ping(10_000)
  })

  rule('what one generation hands over is what the next is given, as a copy', async (subject) => {
    const handed = { open: ['a', 'b'], deep: { n: 1, nothing: null } }
    const old = await subject.start({ config: { life: { snapshot: handed } } })
    const next = await subject.start({ config: { life: {} } })
    const snapshot = await old.snapshot(10_000)
    assert.deepEqual(snapshot, handed)
    await next.restore(snapshot, 10_000)
    assert.deepEqual(await next.call(plain('remembered'), null, context()), [handed])
    assert.deepEqual(await old.snapshot(10_000), handed)
  })

  rule('a snapshot or a restore that fails or hangs leaves the generation serving', async (subject) => {
    const failing = await subject.start({ config: { life: { snapshot: 'failing', restore: 'failing' } } })
    assert.match((await rejection(failing.snapshot(10_000))).message, /cannot be put into words/)
    assert.match((await rejection(failing.restore(1, 10_000))).message, /cannot be read/)
    const hanging = await subject.start({ config: { life: { snapshot: 'hanging' } } })
    assert.equal((await rejection(hanging.snapshot(200))).name, 'TimeoutError')
    for (const instance of [failing, hanging]) assert.equal(await instance.call(plain('echo'), 1, context()), 1)
  })

  rule('a second health check fails the start', async (subject) => {
    const error = await rejection(subject.start({ config: { life: { twice: true } } }))
    assert.equal(error['code'], 'POINT_REGISTERED_TWICE')
  })

  rule('migrate runs before setup, on the state and the files that are given', async (subject) => {
    await subject.host.state.set('before', { of: 'version 1' })
    await writeFile(join(subject.root, 'data', 'before.txt'), 'a file of version 1\n')
    await subject.start({ migrate: { from: 1, to: 2 } })
    assert.deepEqual(await subject.host.state.get('after'), [{ of: 'version 1' }, 'a file of version 1'])
    const said = subject.host.lines.map(({ message }) => message).filter((message) => /^(migrate|setup)/.test(message))
    assert.deepEqual(said, ['migrate 1 to 2', 'setup'])
  })

  rule('a start without another stateVersion migrates nothing', async (subject) => {
    await subject.start()
    assert.deepEqual(subject.messages('migrate'), [])
  })

  rule('a migration that fails fails the start with its reason, and nothing is set up', async (subject) => {
    await subject.host.state.set('before', 'broken')
    const error = await rejection(subject.start({ migrate: { from: 1, to: 2 } }))
    assert.equal(error['code'], 'RUNTIME_MIGRATE_FAILED')
    assert.match(error.message, /contract\/everything.*from version 1 to 2.*cannot read what version 1 wrote/)
    assert.deepEqual(subject.messages('setup'), [])
  })

  rule('a migration that never ends fails the start at its deadline', async (subject) => {
    await subject.host.state.set('before', 'hang')
    const error = await rejection(subject.start({ migrate: { from: 1, to: 2 }, readyMs: 1_000 }))
    assert.equal(error['code'], 'RUNTIME_NOT_READY')
    assert.deepEqual(subject.messages('setup'), [])
  })

  rule('a plugin without migrate cannot take over what another stateVersion stored', async (subject) => {
    const main = 'without-migrate.mjs'
    const source = `import { definePlugin } from '@backplane/sdk'\nexport default definePlugin(() => { throw new Error('set up') })`
    await writeFile(join(subject.root, 'data', main), source)
    const code = { kind: 'files', directory: join(subject.root, 'data'), main } as const
    const error = await rejection(subject.start({ code, migrate: { from: 1, to: 3 } }))
    assert.equal(error['code'], 'RUNTIME_MIGRATE_FAILED')
    assert.match(error.message, /it has no migrate function/)
  })
}
