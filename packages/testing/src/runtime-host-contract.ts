import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Instance } from '@backplane/kernel'
import { context, plain, RuntimeSubject, type MakeRuntime } from './runtime-subject.ts'

/** What a plugin gets from its host. */
export function runtimeHostRules(make: MakeRuntime): void {
  const rule = (title: string, check: (subject: RuntimeSubject) => Promise<void>): void => {
    test(title, { timeout: 60_000 }, async (t) => check(await RuntimeSubject.make(t, make)))
  }
  const ask = (instance: Instance, what: string, rest: object = {}): Promise<unknown> =>
    instance.call(plain('host'), { ask: what, ...rest }, context())

  rule('the scope tells plugin, host and settings, which cannot be changed', async (subject) => {
    const instance = await subject.start({ config: { deep: { a: [1] } } })
    assert.deepEqual(await instance.call(plain('scope'), null, context()), {
      plugin: { id: 'contract/everything', version: '1.0.0', generation: 1 },
      host: { name: 'contract', api: '1.2.3' },
      config: { deep: { a: [1] } },
      frozen: true,
      late: 'SCOPE_SETUP_OVER',
    })
  })

  rule('state is kept by the host, and its errors come back with their code', async (subject) => {
    const instance = await subject.start()
    assert.deepEqual(await ask(instance, 'state', { value: { n: [1] } }), {
      value: { n: [1] },
      keys: ['a/1', 'a/2'],
      all: ['a/1', 'a/2'],
      ...undefinedMember(await ask(instance, 'state', { value: { n: [1] } }), 'missing'),
    })
    const refused = { name: 'PlatformError', code: 'STATE_QUOTA_EXCEEDED', message: 'too much', isPlatformError: true }
    assert.deepEqual(await ask(instance, 'state too large', { value: 1 }), refused)
  })

  rule('a secret is asked for by name', async (subject) => {
    const instance = await subject.start()
    assert.deepEqual(await ask(instance, 'secret', { name: 'token' }), { value: 's3cret' })
    const refused = (await ask(instance, 'secret', { name: 'other' })) as { code: string }
    assert.equal(refused.code, 'SECRET_NOT_GRANTED')
  })

  rule('lines reach the host with their level and fields; fields that are not JSON harm nobody', async (subject) => {
    const instance = await subject.start()
    await ask(instance, 'log', { value: { a: 1 } })
    const warning = await subject.line('watch out')
    assert.equal(warning.level, 'warn')
    assert.deepEqual(warning.fields?.['error'], { code: 'ODD', message: 'odd', retryable: false })
    assert.equal(warning.fields?.['text'], 'x')
    const inCall = await subject.line('in a call')
    assert.deepEqual([inCall.level, inCall.traceId], ['error', '5'.repeat(32)])
    assert.deepEqual(inCall.fields, { point: 'contract.plain', method: 'host', value: { a: 1 } })
  })

  rule('other plugins are reached through the host, in the name of the plugin that calls', async (subject) => {
    const instance = await subject.start()
    assert.deepEqual(await ask(instance, 'use', { value: { b: new Uint8Array([1]) }.b.length }), {
      answer: 1,
      seen: [1, 2, 3],
      has: [true, false],
      thenable: false,
    })
    assert.deepEqual(await ask(instance, 'open'), { total: 42, has: [true, false] })
    assert.deepEqual(
      subject.host.calls.map(({ what, target }) => [what, typeof target === 'string' ? target : target.method]),
      [
        ['stream', 'count'],
        ['call', 'echo'],
        ['open', 'open'],
        ['call', 'add'],
        ['close', 'close'],
      ],
    )
    const callers = subject.host.calls.filter(({ what }) => what !== 'close').map(({ caller, traceId }) => [caller, traceId])
    for (const caller of callers) assert.deepEqual(caller, ['contract/everything', '5'.repeat(32)])
    assert.deepEqual(subject.host.calls[3]?.target, { point: 'contract.opened', name: 'counter', method: 'add', instance: 7 })
  })

  rule('a hook is emitted through the host', async (subject) => {
    const instance = await subject.start()
    assert.deepEqual(await ask(instance, 'emit', { value: 'hello' }), { value: { value: 'heard hello' } })
    assert.equal(subject.host.calls[0]?.target, 'contract.hook')
  })

  rule("files in the plugin's directories are the host's files too", async (subject) => {
    const instance = await subject.start()
    const files = await instance.call(plain('files'), { name: 'note', text: 'hello' }, context())
    assert.deepEqual(files, { manifest: 'contract/everything', back: 'hello' })
    // Where the plugin knows its directories by other names, the host uses these.
    const { data, exchange } = instance.directories ?? {
      data: join(subject.root, 'data'),
      exchange: join(subject.root, 'exchange'),
    }
    for (const directory of [data, exchange]) assert.equal(await readFile(join(directory, 'note'), 'utf8'), 'hello')
    assert.equal(await readFile(join(subject.root, 'data', 'note'), 'utf8'), 'hello')
  })
}

/** In the host's process a member that is undefined is there; over a session it is not. */
function undefinedMember(value: unknown, name: string): object {
  const answer = value as Record<string, unknown>
  assert.equal(answer[name], undefined)
  return name in answer ? { [name]: undefined } : {}
}
