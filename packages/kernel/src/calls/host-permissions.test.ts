import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineHook, defineProvider, stream, unary, type PermissionVocabulary, type Scope } from '@backplane/sdk'
import { inlineSource, testKernel, type InlinePlugin, type TestKernel, type TestKernelOptions } from '@backplane/testing'
import { count, text } from '../fixtures/demo-points.ts'
import { summaryOf } from '../stages/summary.ts'
import type { Admission, Failure, Source } from '../index.ts'

const permissions: PermissionVocabulary = {
  'vm:edit': { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' },
  'vm:read': { sentence: 'see virtual machines', risk: 'low', reason: 'it changes nothing' },
}
const machines = defineProvider('demo.machines', {
  list: unary(text, text),
  edit: unary(text, text, { permission: 'vm:edit' }),
  watch: stream(count, count, { permission: 'vm:read' }),
})
const opened = defineProvider('demo.opened', { edit: unary(text, text, { permission: 'vm:edit' }) }, { open: text })
const beforeStart = defineHook('demo.before-start', { strategy: 'pipe', value: text, permission: 'vm:edit' })
const points = [machines, opened, beforeStart]

/** Provides the machines, and counts what it is asked. */
class Core {
  edits = 0
  readonly plugin: InlinePlugin = {
    manifest: { id: 'demo/core', contributes: { 'demo.machines': { core: {} }, 'demo.opened': { core: {} } } },
    setup: (scope) => {
      const edit = (value: string): string => ((this.edits += 1), `edited ${value}`)
      async function* watch(): AsyncIterable<number> {
        yield 1
      }
      scope.provide(machines, 'core', { list: () => 'all', edit, watch })
      scope.provide(opened, 'core', { open: () => ({ edit }) })
    },
  }
}

/** A plugin that asks for `asked`, started, with its scope. */
async function userAsking(
  asked: readonly string[],
  options: TestKernelOptions = {},
): Promise<{ readonly t: TestKernel; readonly scope: Scope; readonly core: Core }> {
  const given = Promise.withResolvers<Scope>()
  const user: InlinePlugin = { manifest: { id: 'demo/user', permissions: asked }, setup: (scope) => given.resolve(scope) }
  const core = new Core()
  const t = await testKernel({ points, permissions, plugins: [core.plugin, user], ...options })
  await t.kernel.plugins.start('demo/user')
  return { t, core, scope: await given.promise }
}

function failureOf(t: TestKernel, id: string): Failure | undefined {
  const state = t.kernel.plugins.get(id)?.state
  return state?.name === 'failed' ? state.failure : undefined
}

async function checked(
  manifest: Partial<InlinePlugin['manifest']>,
  options: TestKernelOptions = {},
): Promise<Failure | undefined> {
  const plugin: InlinePlugin = { manifest: { id: 'demo/it', ...manifest }, setup: () => assert.fail('it ran') }
  await using t = await testKernel({ points, permissions, plugins: [plugin], ...options })
  return failureOf(t, 'demo/it')
}

test('a plugin calls what it was granted, and the record says what keeps it to that', async () => {
  const { t, scope } = await userAsking(['vm:edit', 'fs:read /srv'])
  await using _ = t
  assert.equal(await scope.use(machines, 'core').edit('a'), 'edited a')
  const record = t.kernel.plugins.get('demo/user')
  assert.deepEqual(record?.grants.host, ['vm:edit'])
  const kept = record.enforcement.find(({ what }) => what === 'vm:edit')
  assert.deepEqual([kept?.level, /checked by the host/.test(kept?.mechanism ?? '')], ['exact', true])
})

test('a call that takes a permission the plugin was not granted is refused, attributed and counted; nobody is asked', async () => {
  const { t, scope, core } = await userAsking(['vm:read'])
  await using _ = t
  const refused = { code: 'CALL_NOT_PERMITTED', plugin: 'demo/user', point: 'demo.machines', hint: /"vm:edit" to permissions/ }
  await assert.rejects(scope.use(machines, 'core').edit('a'), refused)
  await assert.rejects(scope.use(machines, 'core').edit(7 as never), { code: 'CALL_NOT_PERMITTED' })
  assert.equal(await scope.use(machines, 'core').list(''), 'all')
  assert.equal(core.edits, 0)
  assert.equal(t.kernel.plugins.get('demo/user')?.denials, 2)
  const denied = await t.event('grant.denied')
  assert.deepEqual([denied.plugin, denied.permission], ['demo/user', 'vm:edit'])
})

test('an opened instance and a stream are held to the same', async () => {
  const { t, scope, core } = await userAsking([])
  await using _ = t
  const instance = await scope.use(opened, 'core').open('')
  await assert.rejects(instance.edit('a'), { code: 'CALL_NOT_PERMITTED' })
  const items = scope.use(machines, 'core').watch(1)[Symbol.asyncIterator]()
  await assert.rejects(items.next(), { code: 'CALL_NOT_PERMITTED', message: /vm:read/ })
  assert.equal(core.edits, 0)
})

test('the host itself always may, and what an operator adds counts as granted', async () => {
  const settings = (id: string): object => (id === 'demo/user' ? { grants: { host: ['vm:edit'] } } : {})
  const { t, scope } = await userAsking([], { settings })
  await using _ = t
  assert.equal(await t.kernel.provider(machines, 'core').edit('a'), 'edited a')
  assert.equal(await scope.use(machines, 'core').edit('b'), 'edited b')
})

test('a plugin that fills a point without asking for what that takes is refused with point, permission and fix', async () => {
  const contributes = { 'demo.before-start': { it: {} } }
  const failure = await checked({ contributes, permissions: ['vm:read'] })
  assert.deepEqual([failure?.stage, failure?.code], ['check', 'POINT_NOT_PERMITTED'])
  assert.match(`${failure?.message} ${failure?.hint}`, /demo\.before-start.*vm:edit.*Add "vm:edit" to permissions/)
})

test('what an earlier start read of a manifest does not make up for a permission that the host names no more', async () => {
  const manifest = { id: 'demo/it', permissions: ['vm:edit'], contributes: { 'demo.before-start': { it: {} } } }
  const inner = inlineSource([{ manifest, setup: () => undefined }])
  const list: Source['list'] = async (signal) => {
    const { packages, problems } = await inner.list(signal)
    return { packages: packages.map((found) => Object.assign({}, found, { summary: summaryOf(found) })), problems }
  }
  const source = { ...inner, list }
  await using named = await testKernel({ points, permissions, sources: [source] })
  assert.equal(named.kernel.plugins.get('demo/it')?.state.name, 'idle')
  await using unnamed = await testKernel({ sources: [source] })
  assert.equal(failureOf(unnamed, 'demo/it')?.code, 'PERMISSION_INVALID')
})

test('a permission is known only where the host names it; the nearest name is told', async () => {
  const near = await checked({ permissions: ['vm:edti'] })
  assert.equal(near?.code, 'PERMISSION_INVALID')
  assert.match(near.message, /did you mean vm:edit\?/)
  assert.match((await checked({ permissions: ['vm:edit all'] }))?.message ?? '', /must be vm:edit alone/)
  assert.equal((await checked({ permissions: ['constructor'] }))?.code, 'PERMISSION_INVALID')
  const nowhere = await checked({ permissions: ['vm:edit'] }, { permissions: {}, points: [] })
  assert.match(nowhere?.message ?? '', /is not one of fs:read, fs:write, exec, net:connect$/)
})

test('what was asked for and not approved keeps the plugin from running; an update that asks for more waits', async () => {
  let approved: readonly string[] = ['vm:read']
  const admission: Admission = {
    admit: async () => ({ ok: true, trust: { level: 'signed', publisher: 'Demo', waived: [] } }),
    approved: ({ id }) => (id === 'demo/user' ? approved : undefined),
  }
  const contributes = { 'demo.before-start': { it: {} } }
  const setup = (scope: Scope): void => scope.on(beforeStart, 'it', (value) => `${value}!`)
  const { t } = await userAsking(['vm:read'], { admission })
  await using _ = t
  t.source.put({ manifest: { id: 'demo/user', version: '2.0.0', permissions: ['vm:read', 'vm:edit'], contributes }, setup })
  await t.kernel.plugins.refresh()
  const waiting = t.kernel.plugins.get('demo/user')
  assert.deepEqual([waiting?.version, waiting?.held?.permissions], ['1.0.0', ['vm:edit']])
  assert.equal((await t.kernel.emit(beforeStart, 'vm')).value, 'vm')
  approved = ['vm:read', 'vm:edit']
  await t.kernel.plugins.refresh()
  assert.equal((await t.kernel.emit(beforeStart, 'vm')).value, 'vm!')
})

test('a host that names a permission badly, or takes one it does not name, is not made', async () => {
  for (const name of ['exec', 'fs:all', 'net:', 'VM:edit', 'vm', 'vm:edit now']) {
    const kind = { sentence: 'x', risk: 'low', reason: 'x' } as const
    await assert.rejects(testKernel({ permissions: { [name]: kind } }), { code: 'PERMISSION_NAME_INVALID' }, name)
  }
  await assert.rejects(testKernel({ points: [machines] }), { code: 'POINT_INVALID', message: /vm:edit, which the host does not/ })
  await assert.rejects(testKernel({ points: [beforeStart] }), { code: 'POINT_INVALID' })
})
