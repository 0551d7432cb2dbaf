import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { all, echo, echoPlugin, pipe, points, store } from '../fixtures/demo-points.ts'
import { memoryStore } from '../index.ts'

/** Runs `work` with the scope of a started plugin `demo/user`. */
async function withScope(work: (scope: Scope, t: TestKernel) => Promise<void>, options: TestKernelOptions = {}): Promise<void> {
  const given = Promise.withResolvers<Scope>()
  const user: InlinePlugin = { manifest: { id: 'demo/user', limits: { state: '64B' } }, setup: (scope) => given.resolve(scope) }
  await using t = await testKernel({ points, ...options, plugins: [user, ...(options.plugins ?? [])] })
  await t.kernel.plugins.start('demo/user')
  await work(await given.promise, t)
}

test('a plugin calls another through the host: same checks, and it is named as the caller', async () => {
  let caller: string | undefined
  const other = echoPlugin({ say: (value, call) => ((caller = call.caller), value) })
  await withScope(
    async (scope) => {
      const client = scope.use(echo, 'echo')
      assert.equal(await client.say('x'), 'x')
      assert.equal(caller, 'demo/user')
      await assert.rejects(client.say(7 as never), { code: 'CALL_INPUT_INVALID' })
      await assert.rejects(scope.use(echo, 'ecoh').say('x'), { code: 'POINT_UNKNOWN_PROVIDER' })
      const items: number[] = []
      for await (const item of client.count(3)) items.push(item)
      assert.deepEqual(items, [1, 2, 3])
    },
    { plugins: [other] },
  )
})

test('a plugin opens instances of others; they are closed when it stops', async () => {
  const closed = Promise.withResolvers<void>()
  const disk: InlinePlugin = {
    manifest: { id: 'demo/disk', contributes: { 'demo.store': { disk: {} } } },
    setup: (scope) =>
      scope.provide(store, 'disk', {
        open: (prefix) => ({ get: (key) => prefix + key, list: () => [] as never, close: () => closed.resolve() }),
      }),
  }
  await withScope(
    async (scope, t) => {
      const opened = await scope.use(store, 'disk').open('a:')
      assert.equal(await opened.get('k'), 'a:k')
      const other = await scope.use(store, 'disk').open('b:')
      await other[Symbol.asyncDispose]()
      await assert.rejects(other.get('k'), { code: 'CALL_INSTANCE_UNKNOWN' })
      await t.kernel.plugins.disable('demo/user')
      await closed.promise
      await assert.rejects(opened.get('k'), { code: 'GENERATION_ENDED' })
    },
    { plugins: [disk] },
  )
})

test('a plugin emits only hooks that say plugins may emit them', async () => {
  const seen: string[] = []
  const listener: InlinePlugin = {
    manifest: { id: 'demo/listener', contributes: { 'demo.all': { it: {} } } },
    setup: (scope) => scope.on(all, 'it', (value) => void seen.push(value)),
  }
  await withScope(
    async (scope) => {
      await scope.emit(all, 'hello')
      assert.deepEqual(seen, ['hello'])
      await assert.rejects(scope.emit(pipe, 'x'), { code: 'HOOK_NOT_EMITTABLE' })
    },
    { plugins: [listener] },
  )
})

test('a plugin reads exactly the secrets its settings name, each read is recorded, and none is ever written out', async () => {
  const values: Readonly<Record<string, string>> = { token: 'canary-7f3a', other: 'other-canary' }
  const secrets = {
    resolve: async (name: string) => (name === 'stuck' ? Promise.reject(new Error('the vault is closed')) : values[name]),
  }
  const settings = (): object => ({
    config: { a: '${secret:token}', b: ['${secret:gone}', '${secret:stuck}'] },
    from: 'host.yaml',
  })
  const leaking = echoPlugin({
    say: (value) => {
      throw Object.assign(new Error(`login failed with ${value}`), { code: 'AUTH' })
    },
  })
  await withScope(
    async (scope, t) => {
      assert.equal(await scope.secrets.get('token'), 'canary-7f3a')
      assert.equal(await scope.secrets.get('${secret:token}'), 'canary-7f3a')
      await assert.rejects(scope.secrets.get('other'), { code: 'SECRET_NOT_GRANTED', hint: /\$\{secret:other\}/ })
      await assert.rejects(scope.secrets.get('gone'), { code: 'SECRET_UNRESOLVED', message: /host\.yaml/ })
      await assert.rejects(scope.secrets.get('stuck'), /the vault is closed/)
      const reads = t.events().flatMap((event) => (event.type === 'secret.read' ? [[event.name, event.found]] : []))
      assert.deepEqual(reads, [
        ['token', true],
        ['token', true],
        ['gone', false],
        ['stuck', false],
      ])
      scope.log.info('using canary-7f3a', { header: { authorization: 'Bearer canary-7f3a' }, error: new Error('canary-7f3a') })
      const error = await scope
        .use(echo, 'echo')
        .say('canary-7f3a')
        .catch((thrown: unknown) => thrown)
      const written = JSON.stringify([t.lines, t.events(), error, t.kernel.plugins.list()])
      assert.match(written, /login failed with \[redacted\]/)
      assert.ok(!written.includes('canary'), written)
    },
    { secrets, settings, plugins: [leaking] },
  )
})

test("a plugin that asks for another's secret by name is refused and told on; what the operator allowed by pattern it gets", async () => {
  const asked: string[] = []
  const secrets = { resolve: async (name: string, plugin: string) => (asked.push(`${plugin} ${name}`), `value-of-${name}`) }
  const other: InlinePlugin = { manifest: { id: 'demo/other' }, setup: () => undefined }
  const settings = (id: string): object =>
    id === 'demo/other' ? { config: { token: '${secret:theirs}' } } : { secrets: ['shared-*', 'one'] }
  await withScope(
    async (scope, t) => {
      for (const name of ['theirs', '${secret:theirs}', 'shared', 'one-more', '*', 'constructor', '']) {
        await assert.rejects(scope.secrets.get(name), { code: 'SECRET_NOT_GRANTED' }, name)
      }
      assert.deepEqual(asked, [], 'the broker is not even asked')
      assert.equal(await scope.secrets.get('shared-db'), 'value-of-shared-db')
      assert.equal(await scope.secrets.get('one'), 'value-of-one')
      assert.deepEqual(asked, ['demo/user shared-db', 'demo/user one'])
      const denied = t.events().flatMap((event) => (event.type === 'grant.denied' ? [event.permission] : []))
      assert.equal(denied[0], 'secret theirs')
    },
    { secrets, settings, plugins: [other] },
  )
})

test('a host that wants to know is told of every call when it has ended, and of nothing that was said', async () => {
  const calls: object[] = []
  const onCall: TestKernelOptions['onCall'] = ({ tookMs, traceId, ...call }) => {
    assert.ok(tookMs >= 0 && traceId.length > 0)
    calls.push(call)
  }
  const failing = echoPlugin({ say: (value) => (value === 'no' ? assert.fail('secret words') : value) })
  await withScope(
    async (scope) => {
      const client = scope.use(echo, 'echo')
      await client.say('secret words')
      await assert.rejects(client.say('no'))
      const call = { plugin: 'demo/echo', point: 'demo.echo', name: 'echo', method: 'say', caller: 'demo/user' }
      assert.deepEqual(calls, [call, { ...call, code: 'CALL_FAILED' }])
    },
    { plugins: [failing], onCall },
  )
})

test('a secret in the reason of a failed start or in the last lines of a process is not shown either', async () => {
  const secrets = { resolve: async () => 'canary-7f3a' }
  const settings = (): object => ({ config: { a: '${secret:token}' } })
  const failing: InlinePlugin = {
    manifest: { id: 'demo/failing' },
    setup: async (scope) => assert.fail(`bad token ${await scope.secrets.get('token')}`),
  }
  await withScope(
    async (_, t) => {
      await t.kernel.plugins.start('demo/failing')
      t.runtime.crash('demo/user', { kind: 'exit', code: 1, lastLines: ['token was canary-7f3a'] })
      const { cause } = await t.event('plugin.exited')
      assert.deepEqual(cause, { kind: 'exit', code: 1, lastLines: ['token was [redacted]'] })
      const written = JSON.stringify([t.lines, t.events(), t.kernel.plugins.list()])
      assert.match(written, /bad token \[redacted\]/)
      assert.ok(!written.includes('canary'))
    },
    { secrets, settings, plugins: [failing] },
  )
})

test('the state of a plugin is its own, durable, JSON, and limited', async () => {
  const kept = memoryStore()
  await withScope(
    async ({ state }) => {
      await state.set('a', { deep: [1, 'x', null] })
      assert.deepEqual(await state.get('a'), { deep: [1, 'x', null] })
      assert.deepEqual(await state.keys(), ['a'])
      assert.deepEqual(await state.keys('b'), [])
      await assert.rejects(state.set('b', 'x'.repeat(100)), { code: 'STATE_QUOTA_EXCEEDED' })
      for (const key of ['', 'x'.repeat(257)]) await assert.rejects(state.set(key, 1), { code: 'STATE_KEY_INVALID' })
      const circular: Record<string, unknown> = {}
      circular['self'] = circular
      for (const value of [undefined, () => 1, circular, 10n])
        await assert.rejects(state.set('c', value), { code: 'STATE_VALUE_INVALID' })
      await state.set('__proto__', 1)
      assert.equal(await state.get('__proto__'), 1)
      await state.delete('__proto__')
      assert.equal(await state.get('__proto__'), undefined)
    },
    { store: kept },
  )
  await withScope(
    async ({ state }, t) => {
      assert.deepEqual(await state.get('a'), { deep: [1, 'x', null] })
      await t.kernel.plugins.remove('demo/user', { keepState: true })
    },
    { store: kept },
  )
  await withScope(
    async ({ state }, t) => {
      assert.deepEqual(await state.keys(), ['a'])
      await t.kernel.plugins.remove('demo/user')
    },
    { store: kept },
  )
  await withScope(async ({ state }) => assert.deepEqual(await state.keys(), []), { store: kept })
})

test('log lines carry plugin and generation and keep their form whatever a plugin passes', async () => {
  await withScope(async (scope, t) => {
    scope.log.warn('careful', { disk: 'a' })
    const log = scope.log.info as (message: unknown, fields?: unknown) => void
    log({ not: 'text' }, 'not fields')
    const [first, second] = t.lines.filter(({ plugin }) => plugin === 'demo/user')
    assert.deepEqual(first, { level: 'warn', message: 'careful', fields: { disk: 'a' }, plugin: 'demo/user', generation: 1 })
    assert.deepEqual(second?.fields, undefined)
    assert.match(second?.message ?? '', /not/)
  })
})
