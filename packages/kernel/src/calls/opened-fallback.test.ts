import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { points, store } from '../fixtures/demo-points.ts'

const closed: string[] = []

/** A disk that is opened with a prefix; `accepts` refuses one. */
function disk(id: string, get: (key: string) => unknown, accepts: (prefix: string) => void = () => undefined): InlinePlugin {
  const open = (prefix: string): unknown => {
    accepts(prefix)
    async function* list(key: string): AsyncIterable<string> {
      yield `${id} ${prefix}${key}`
    }
    return { get: (key: string) => get(prefix + key), list, close: () => void closed.push(id) }
  }
  return {
    manifest: { id: `demo/${id}`, contributes: { 'demo.store': { [id]: {} } } },
    setup: (scope) => scope.provide(store, id, { open: open as never }),
  }
}

const down = (): never => {
  throw new Error('down')
}
const second = (accepts?: (prefix: string) => void): InlinePlugin => disk('second', (key) => `second ${key}`, accepts)
const fallbacks = { 'demo.store': { first: ['gone', 'second'] } }
const kernelWith = (plugins: readonly InlinePlugin[], options: Partial<TestKernelOptions> = {}): Promise<TestKernel> =>
  testKernel({ points, plugins, fallbacks, ...options })

async function allOf(from: AsyncIterable<string>): Promise<readonly string[]> {
  const items: string[] = []
  for await (const item of from) items.push(item)
  return items
}

test('calls of an opened instance go to one of the next provider, opened alike, while its own is not asked, and come back', async () => {
  let get: (key: string) => unknown = down
  await using t = await kernelWith([disk('first', (key) => get(key)), second()])
  const opened = await t.kernel.provider(store, 'first').open('a:')
  for (let time = 0; time < 5; time += 1) await assert.rejects(opened.get('k'), { code: 'CALL_FAILED' })
  assert.equal(await opened.get('k'), 'second a:k')
  assert.deepEqual(await allOf(opened.list('k')), ['second a:k'])
  const told = t.events().flatMap((event) => (event.type === 'call.fell-back' ? [event] : []))
  assert.deepEqual(
    told.slice(0, 2).map(({ from, to, code }) => [from, to, code]),
    [
      ['first', 'gone', 'CALL_BREAKER_OPEN'],
      ['gone', 'second', 'POINT_UNKNOWN_PROVIDER'],
    ],
  )
  get = (key) => `first ${key}`
  await t.clock.advance(5_000)
  assert.equal(await opened.get('k'), 'first a:k')
  closed.length = 0
  await opened[Symbol.asyncDispose]()
  assert.deepEqual(new Set(closed), new Set(['first', 'second']))
  await assert.rejects(opened.get('k'), { code: 'CALL_FAILED' })
})

test('an instance whose plugin was put in quarantine is replaced by one of the next provider', async () => {
  await using t = await kernelWith([disk('first', (key) => `first ${key}`), second()], { supervision: { crashes: 1 } })
  await using opened = await t.kernel.provider(store, 'first').open('a:')
  assert.equal(await opened.get('k'), 'first a:k')
  t.runtime.crash('demo/first')
  await t.event('plugin.changed', ({ to }) => to === 'quarantined')
  assert.equal(await opened.get('k'), 'second a:k')
  await t.kernel.plugins.reload('demo/second')
  assert.equal(await opened.get('k'), 'second a:k', 'what the next provider had opened is opened anew')
})

test('an instance whose plugin only started anew is not passed over: whoever holds it opens it again', async () => {
  await using t = await kernelWith([disk('first', (key) => `first ${key}`), second()])
  await using opened = await t.kernel.provider(store, 'first').open('a:')
  t.runtime.crash('demo/first')
  await t.event('plugin.exited')
  await assert.rejects(opened.get('k'), { code: 'PLUGIN_EXITED' })
})

test('a next provider that does not take the settings of the first is refused with both names and the reason', async () => {
  const accepts = (prefix: string): void => assert.notEqual(prefix, 'a:', 'no such place')
  await using t = await kernelWith([disk('first', down), second(accepts)])
  await using opened = await t.kernel.provider(store, 'first').open('a:')
  for (let time = 0; time < 5; time += 1) await assert.rejects(opened.get('k'), { code: 'CALL_FAILED' })
  await assert.rejects(opened.get('k'), {
    code: 'CALL_FALLBACK_REFUSED',
    plugin: 'demo/second',
    message: /"second" is asked instead of "first" in demo\.store and does not open with its settings: .*no such place/,
  })
})

test('an instance that a plugin opened goes the same ways', async () => {
  const given = Promise.withResolvers<Scope>()
  const user: InlinePlugin = { manifest: { id: 'demo/user' }, setup: (scope) => given.resolve(scope) }
  await using t = await kernelWith([disk('first', down), second(), user])
  await t.kernel.plugins.start('demo/user')
  const opened = await (await given.promise).use(store, 'first').open('a:')
  for (let time = 0; time < 5; time += 1) await assert.rejects(opened.get('k'), { code: 'CALL_FAILED' })
  assert.equal(await opened.get('k'), 'second a:k')
  assert.deepEqual(await allOf(opened.list('k')), ['second a:k'])
  closed.length = 0
  await t.kernel.plugins.disable('demo/user')
  assert.deepEqual(new Set(closed), new Set(['first', 'second']))
})
