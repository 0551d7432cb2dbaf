import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineHook, defineProvider, unary, type PermissionVocabulary, type Scope } from '@backplane/sdk'
import { testKernel, type InlinePlugin, type TestKernel } from '@backplane/testing'
import { text } from '../fixtures/demo-points.ts'
import type { Admission } from '../index.ts'

const permissions: PermissionVocabulary = {
  'vm:edit': { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' },
  'vm:read': { sentence: 'see virtual machines', risk: 'low', reason: 'it changes nothing' },
}
const machines = defineProvider('demo.machines', {
  list: unary(text, text, { permission: 'vm:read' }),
  edit: unary(text, text, { permission: 'vm:edit' }),
})
const beforeStart = defineHook('demo.before-start', { strategy: 'pipe', value: text, permission: 'vm:edit' })
const points = [machines, beforeStart]
const core: InlinePlugin = {
  manifest: { id: 'demo/core', contributes: { 'demo.machines': { core: {} } } },
  setup: (scope) => scope.provide(machines, 'core', { list: () => 'all', edit: (value) => `edited ${value}` }),
}

/** Approves what it is told, all where that is undefined, and withholds what it is told. */
class Door implements Admission {
  granted: readonly string[] | undefined
  kept: readonly string[] = []
  readonly admit: Admission['admit'] = async () => ({ ok: true, trust: { level: 'signed', waived: [] } })
  readonly approved: NonNullable<Admission['approved']> = ({ id }) => (id === 'demo/user' ? this.granted : undefined)
  readonly withheld: NonNullable<Admission['withheld']> = ({ id }) => (id === 'demo/user' ? this.kept : [])
}

/** A plugin that asks for `asked` and keeps handing over its newest scope. */
class User {
  scope: Scope | undefined
  readonly asking = (version: string, asked: readonly string[], contributes: object = {}): InlinePlugin => ({
    manifest: { id: 'demo/user', version, permissions: asked, contributes },
    setup: (scope) => {
      this.scope = scope
      if ('demo.before-start' in contributes) scope.on(beforeStart, 'mine', (value) => value)
    },
  })
  edit = async (): Promise<string> => this.scope?.use(machines, 'core').edit('a') ?? 'no scope'
  list = async (): Promise<string> => this.scope?.use(machines, 'core').list('') ?? 'no scope'
}

async function started(door: Door, plugin: InlinePlugin): Promise<TestKernel> {
  const t = await testKernel({ points, permissions, plugins: [core, plugin], admission: door })
  await t.kernel.plugins.start('demo/user')
  return t
}

const asked = ['vm:edit', 'vm:read', 'exec qemu-img', 'net:connect api.example.org:443']

test('a plugin runs without what is withheld: it counts as answered, is not granted, and the record says so', async () => {
  const door = new Door()
  const user = new User()
  door.granted = ['vm:read', 'exec qemu-img']
  door.kept = ['vm:edit', 'net:connect api.example.org:443']
  await using t = await started(door, user.asking('1.0.0', asked))
  const record = t.kernel.plugins.get('demo/user')
  assert.equal(record?.state.name, 'active')
  assert.deepEqual(record.grants, { fsRead: [], fsWrite: [], exec: ['qemu-img'], net: [], host: ['vm:read'] })
  assert.deepEqual(record.withheld, ['vm:edit', 'net:connect api.example.org:443'])
  assert.equal(await user.list(), 'all')
  await assert.rejects(user.edit(), { code: 'CALL_NOT_PERMITTED' })
  assert.equal((await t.event('grant.denied')).permission, 'vm:edit')
})

test('withheld wins over approved, and over other words for the same', async () => {
  const door = new Door()
  door.kept = ['net:connect api.example.org:443']
  const twice = ['net:connect https://api.example.org', 'net:connect api.example.org:443', 'net:connect api.example.org:80']
  await using t = await started(door, new User().asking('1.0.0', twice))
  assert.deepEqual(t.kernel.plugins.get('demo/user')?.grants.net, ['api.example.org:80'])
})

test('withholding a directory within one that is granted is told to change nothing', async () => {
  const door = new Door()
  door.kept = ['fs:read /srv/images', 'fs:read /etc/acme']
  await using t = await started(door, new User().asking('1.0.0', ['fs:read /srv', 'fs:read /srv-old', ...door.kept]))
  const record = t.kernel.plugins.get('demo/user')
  assert.deepEqual(record?.grants.fsRead, ['/srv', '/srv-old'])
  const mechanism = 'fs:read /srv, which it may, holds it too'
  assert.deepEqual(record.enforcement, [{ what: 'withheld fs:read /srv/images', level: 'none', mechanism }])
})

test('what is neither approved nor withheld still blocks', async () => {
  const door = new Door()
  door.granted = ['vm:read']
  door.kept = ['vm:edit']
  await using t = await started(door, new User().asking('1.0.0', asked))
  const { state } = t.kernel.plugins.get('demo/user') ?? {}
  assert.deepEqual(state?.name === 'blocked' && state.permissions, ['exec qemu-img', 'net:connect api.example.org:443'])
})

test('what is withheld from a plugin that runs is taken at once, and given back with a fresh generation', async () => {
  const door = new Door()
  const user = new User()
  await using t = await started(door, user.asking('1.0.0', asked))
  assert.equal(await user.edit(), 'edited a')
  door.kept = ['vm:edit']
  assert.deepEqual(await t.kernel.plugins.readmit(), ['demo/user'])
  assert.ok(t.lines.some(({ message }) => /it runs with permissions that are withheld from it now: vm:edit/.test(message)))
  assert.equal(t.kernel.plugins.get('demo/user')?.state.name, 'active')
  assert.equal(await user.list(), 'all')
  await assert.rejects(user.edit(), { code: 'CALL_NOT_PERMITTED' })
  assert.deepEqual(await t.kernel.plugins.readmit(), [], 'nothing is left to do')
  door.kept = []
  assert.deepEqual(await t.kernel.plugins.readmit(), [])
  assert.equal(await user.edit(), 'edited a')
})

test('an update that newly asks for what is withheld runs without it, and does not wait', async () => {
  const door = new Door()
  const user = new User()
  door.granted = ['vm:read']
  door.kept = ['vm:edit']
  await using t = await started(door, user.asking('1.0.0', ['vm:read']))
  assert.deepEqual(t.kernel.plugins.get('demo/user')?.withheld, [])
  t.source.put(user.asking('2.0.0', ['vm:read', 'vm:edit']))
  await t.kernel.plugins.refresh()
  const record = t.kernel.plugins.get('demo/user')
  assert.deepEqual([record?.version, record?.held, record?.withheld], ['2.0.0', undefined, ['vm:edit']])
  await assert.rejects(user.edit(), { code: 'CALL_NOT_PERMITTED' })
})

test('a plugin that fills a point whose permission is withheld is refused with the point and the permission', async () => {
  const door = new Door()
  const user = new User()
  const hooked = user.asking('1.0.0', ['vm:edit'], { 'demo.before-start': { mine: {} } })
  door.kept = ['vm:edit']
  await using t = await testKernel({ points, permissions, plugins: [core, hooked], admission: door })
  const failure = (): unknown => {
    const state = t.kernel.plugins.get('demo/user')?.state
    return state?.name === 'failed' ? [state.failure.code, state.failure.message] : state?.name
  }
  const refused = [
    'POINT_WITHHELD',
    'demo/user fills demo.before-start, which takes the permission vm:edit, and that is withheld from it',
  ]
  assert.deepEqual(failure(), refused)
  assert.equal(user.scope, undefined, 'nothing of it ran')
  door.kept = []
  await t.kernel.plugins.refresh()
  assert.equal((await t.kernel.emit(beforeStart, 'x')).value, 'x')
  assert.equal(failure(), 'active')
  door.kept = ['vm:edit']
  await t.kernel.plugins.readmit()
  assert.deepEqual(failure(), refused, 'also when it is withheld while it serves')
  assert.equal((await t.kernel.emit(beforeStart, 'x')).changes.length, 0)
})
