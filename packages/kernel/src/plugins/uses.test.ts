import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineData, defineHook, defineProvider, unary, type PermissionVocabulary, type Scope } from '@backplane/sdk'
import {
  fakeClock,
  inlineRuntime,
  testKernel,
  type InlinePlugin,
  type TestKernel,
  type TestKernelOptions,
} from '@backplane/testing'
import { record as note, text } from '../fixtures/demo-points.ts'
import { leastGrant, memoryStore, type PluginUses, type Store, type Use } from '../index.ts'

const kind = { sentence: 'do it', risk: 'medium', reason: 'it may break' } as const
const permissions: PermissionVocabulary = { 'vm:edit': kind, 'vm:read': kind, 'vm:start': kind, 'vm:tell': kind }
const machines = defineProvider('demo.machines', {
  list: unary(text, text, { permission: 'vm:read' }),
  edit: unary(text, text, { permission: 'vm:edit' }),
})
const beforeStart = defineHook('demo.before-start', { strategy: 'pipe', value: text, permission: 'vm:start' })
const notes = defineData('demo.notes', note, { permission: 'vm:tell' })
const points = [machines, beforeStart, notes]
const core: InlinePlugin = {
  manifest: { id: 'demo/core', contributes: { 'demo.machines': { core: {} } } },
  setup: (scope) => scope.provide(machines, 'core', { list: () => 'all', edit: (value) => `edited ${value}` }),
}
const images = 'fs:read /srv/images'
const asked = [images, 'fs:write /srv/out', 'exec qemu-img', 'net:connect ${config.hosts.*}', 'vm:read', 'vm:edit']

/** A plugin in audit mode, with the scope of its newest generation. */
class User {
  scope: Scope | undefined
  readonly plugin = (version: string, manifest: object = {}): InlinePlugin => ({
    manifest: { id: 'demo/user', version, permissions: asked, ...manifest },
    setup: (scope) => {
      this.scope = scope
    },
  })
}

function start(
  user: User,
  options: TestKernelOptions & { readonly audit?: boolean | 'where-possible' } = {},
): Promise<TestKernel> {
  const { audit = true, ...rest } = options
  return startedWith({
    plugins: [core, user.plugin('1.0.0')],
    settings: (id) => (id === 'demo/user' ? { audit, config: { hosts: ['a.example:443', 'B.example:443'] } } : undefined),
    ...rest,
  })
}

async function startedWith(options: TestKernelOptions): Promise<TestKernel> {
  const runtime = inlineRuntime({ cannotAudit: () => undefined })
  const t = await testKernel({ points, permissions, ...options, runtimes: [runtime] })
  await t.kernel.plugins.start('demo/user')
  return { ...t, runtime }
}

function used(uses: PluginUses): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    uses.permissions.map((one) => [one.permission, one.used && [one.used.count, one.used.by, one.used.seen]]),
  )
}

const reading = (what: string): Use => ({ verb: 'fs:read', what, by: 'plugin' })

test('each use counts for the permission that covers it, by whose word, and what was not used says so', async () => {
  const user = new User()
  await using t = await start(user)
  await t.clock.advance(1_000)
  await user.scope?.use(machines, 'core').list('')
  await user.scope?.use(machines, 'core').list('')
  t.runtime.tellUse('demo/user', reading('/srv/images/a/1.raw'))
  t.runtime.tellUse('demo/user', reading('/srv/images/a/2.raw'))
  for (const other of ['/srv/images-old/1.raw', '/srv/images/../../etc/passwd', 'srv/images/x'])
    t.runtime.tellUse('demo/user', reading(other))
  t.runtime.tellUse('demo/user', { verb: 'fs:write', what: '/srv/images/a', by: 'plugin' })
  t.runtime.tellUse('demo/user', { verb: 'net:connect', what: 'b.example:443', by: 'host' })
  t.runtime.tellUse('demo/user', { verb: 'net:connect', what: 'c.example:443', by: 'host' })
  const uses = await t.kernel.plugins.uses('user')
  assert.deepEqual(used(uses), {
    [images]: [2, 'plugin', ['/srv/images/a/1.raw', '/srv/images/a/2.raw']],
    'fs:write /srv/out': undefined,
    'exec qemu-img': undefined,
    'net:connect ${config.hosts.*}': [1, 'host', ['b.example:443']],
    'vm:read': [2, 'host', []],
    'vm:edit': undefined,
  })
  assert.deepEqual([uses.audit, uses.permissions.map(({ unknown }) => unknown)], [{ isOn: true }, asked.map(() => undefined)])
  assert.deepEqual(leastGrant(uses), {
    used: [images, 'net:connect ${config.hosts.*}', 'vm:read'],
    unknown: [],
    unused: ['fs:write /srv/out', 'exec qemu-img', 'vm:edit'],
    narrower: { [images]: ['fs:read /srv/images/a'], 'net:connect ${config.hosts.*}': ['net:connect b.example:443'] },
  })
})

test('where more was used at once than is told, what was not seen is unknown until the next start', async () => {
  const user = new User()
  await using t = await start(user)
  t.runtime.tellUse('demo/user', reading('/srv/images/a/1.raw'))
  t.runtime.tellUse('demo/user', 'untold')
  const uses = await t.kernel.plugins.uses('user')
  assert.match(uses.permissions[1]?.unknown ?? '', /in too many places at once/)
  const { used: kept, unknown, unused } = leastGrant(uses)
  assert.deepEqual([kept, unknown], [[images], ['fs:write /srv/out', 'exec qemu-img']])
  assert.deepEqual(unused, ['net:connect ${config.hosts.*}', 'vm:read', 'vm:edit'], 'the host sees these by itself')
  await t.kernel.plugins.reload('user')
  assert.deepEqual(leastGrant(await t.kernel.plugins.uses('user')).unknown, [])
})

test('what a program reads and writes nobody sees, so nothing of that is proposed away from who runs one', async () => {
  const user = new User()
  await using t = await start(user)
  t.runtime.tellUse('demo/user', { verb: 'exec', what: 'dog', by: 'plugin' })
  assert.ok(leastGrant(await t.kernel.plugins.uses('user')).unused.includes(images))
  t.runtime.tellUse('demo/user', { verb: 'exec', what: 'qemu-img', by: 'plugin' })
  const uses = await t.kernel.plugins.uses('user')
  assert.match(uses.permissions[0]?.unknown ?? '', /ran a program/)
  assert.deepEqual(leastGrant(uses).unknown, [images, 'fs:write /srv/out'])
  assert.deepEqual(leastGrant(uses).used, ['exec qemu-img'])
})

test('a program that is run before anybody knows what is watched, in setup, counts as one that is run later', async () => {
  const runtime = inlineRuntime({ cannotAudit: () => undefined })
  await using t = await testKernel({
    points,
    permissions,
    plugins: [core, new User().plugin('1.0.0')],
    settings: () => ({ audit: true, config: { hosts: [] } }),
    runtimes: [
      {
        ...runtime,
        start: (request, host, signal) => {
          host.used({ verb: 'exec', what: 'qemu-img', by: 'plugin' })
          return runtime.start(request, host, signal)
        },
      },
    ],
  })
  await t.kernel.plugins.start('user')
  assert.deepEqual(leastGrant(await t.kernel.plugins.uses('user')).unknown, [images, 'fs:write /srv/out'])
})

test('without audit mode what nobody sees is unknown, with the reason, and stays granted', async () => {
  const user = new User()
  await using t = await start(user, { audit: false })
  const uses = await t.kernel.plugins.uses('user')
  const [read, , , net] = uses.permissions
  assert.match(read?.unknown ?? '', /in audit mode/)
  assert.deepEqual([net?.unknown, uses.audit], [undefined, undefined])
  const { unknown, unused } = leastGrant(uses)
  assert.deepEqual(unknown, [images, 'fs:write /srv/out', 'exec qemu-img'])
  assert.deepEqual(unused, ['net:connect ${config.hosts.*}', 'vm:read', 'vm:edit'])
})

test('what was used since a date counts; what was not watched for so long is unknown', async () => {
  const user = new User()
  await using t = await start(user)
  const startedMs = t.clock.now()
  await user.scope?.use(machines, 'core').list('')
  await t.clock.advance(10_000)
  await user.scope?.use(machines, 'core').edit('')
  const uses = await t.kernel.plugins.uses('user')
  assert.deepEqual(leastGrant(uses, startedMs + 5_000).used, ['vm:edit'])
  assert.ok(leastGrant(uses, startedMs + 5_000).unused.includes('vm:read'))
  assert.deepEqual(
    leastGrant(uses, startedMs - 1).unknown,
    asked.filter((one) => !one.startsWith('vm:')),
  )
})

test('running a handler uses the permission its point takes; one that is needed for a point is never proposed away', async () => {
  const user = new User()
  const contributes = { 'demo.before-start': { mine: {} }, 'demo.notes': { mine: { name: 'x' } } }
  const hooked: InlinePlugin = {
    manifest: { id: 'demo/user', permissions: ['vm:start', 'vm:tell'], contributes },
    setup: (scope) => scope.on(beforeStart, 'mine', (value) => value),
  }
  await using t = await start(user, { plugins: [hooked] })
  const before = await t.kernel.plugins.uses('user')
  assert.deepEqual(used(before), { 'vm:start': undefined, 'vm:tell': [1, 'host', []] })
  assert.deepEqual(leastGrant(before).used, ['vm:start', 'vm:tell'])
  assert.equal(before.permissions[0]?.neededFor, 'demo.before-start')
  await t.kernel.emit(beforeStart, 'x')
  assert.deepEqual(used(await t.kernel.plugins.uses('user'))['vm:start'], [1, 'host', []])
})

test('what was used survives a restart, per version; what is kept of it and cannot be read begins anew and is told', async () => {
  const store = memoryStore()
  const clock = fakeClock()
  const user = new User()
  {
    await using t = await start(user, { store, clock })
    await user.scope?.use(machines, 'core').list('')
    t.runtime.tellUse('demo/user', reading('/srv/images/a/1.raw'))
  }
  {
    await using t = await start(user, { store, clock })
    await user.scope?.use(machines, 'core').list('')
    const uses = await t.kernel.plugins.uses('user')
    assert.deepEqual(
      [used(uses)['vm:read'], used(uses)[images]],
      [
        [2, 'host', []],
        [1, 'plugin', ['/srv/images/a/1.raw']],
      ],
    )
    t.source.put(user.plugin('2.0.0'))
    await t.kernel.plugins.refresh()
    const newer = await t.kernel.plugins.uses('user')
    assert.deepEqual([newer.version, used(newer)['vm:read']], ['2.0.0', undefined])
  }
  await store.set('kernel', 'uses/demo/user', '{')
  await using t = await start(user, { store, clock })
  assert.equal(used(await t.kernel.plugins.uses('user'))['vm:read'], undefined)
  assert.ok(t.lines.some(({ message }) => message.startsWith('what it used cannot be read')))
})

test('of the versions of a plugin the newest five are kept, and a removed plugin is forgotten', async () => {
  const store = memoryStore()
  const user = new User()
  await using t = await start(user, { store })
  for (let minor = 1; minor < 7; minor += 1) {
    t.source.put(user.plugin(`1.${minor}.0`))
    await t.kernel.plugins.refresh()
  }
  await t.clock.advance(5_000)
  const kept = JSON.parse((await store.get('kernel', 'uses/demo/user')) ?? '[]') as readonly { readonly version: string }[]
  assert.deepEqual(
    kept.map(({ version }) => version),
    ['1.2.0', '1.3.0', '1.4.0', '1.5.0', '1.6.0'],
  )
  await t.kernel.plugins.remove('demo/user')
  assert.equal(await store.get('kernel', 'uses/demo/user'), undefined)
})

test('however much a plugin tells, one write every few seconds of a size that does not grow', async () => {
  const sizes: number[] = []
  const memory = memoryStore()
  const store: Store = {
    ...memory,
    set: (namespace, key, value, quota) => {
      if (key.startsWith('uses/')) sizes.push(value.length)
      return memory.set(namespace, key, value, quota)
    },
  }
  const user = new User()
  await using t = await start(user, { store })
  for (let round = 0; round < 3; round += 1) {
    for (let one = 0; one < 5_000; one += 1) {
      t.runtime.tellUse('demo/user', reading(`/srv/images/${'deep/'.repeat(one % 200)}${round}-${one}.raw`))
      t.runtime.tellUse('demo/user', { verb: 'net:connect', what: `host-${one}.example:443`, by: 'host' })
    }
    await t.clock.advance(5_000)
  }
  const [read] = (await t.kernel.plugins.uses('user')).permissions
  assert.deepEqual([read?.used?.count, read?.used?.seen, read?.used?.isWhole], [15_000, ['/srv/images'], false])
  assert.deepEqual(leastGrant(await t.kernel.plugins.uses('user')).narrower, {})
  await t.kernel[Symbol.asyncDispose]()
  assert.ok(sizes.length <= 4 && sizes.every((size) => size < 5_000), sizes.join())
})

test('audit mode is refused where it cannot be, unless it is only wished for; then the record says why not', async () => {
  const user = new User()
  const cannot = inlineRuntime({ cannotAudit: () => 'there is no sandbox' })
  for (const [runtime, reason] of [
    [cannot, 'there is no sandbox'],
    [inlineRuntime(), 'the trusted tier sees nothing of it'],
  ] as const) {
    for (const audit of [true, 'where-possible'] as const) {
      await using t = await testKernel({
        plugins: [user.plugin('1.0.0', { permissions: [] })],
        settings: () => ({ audit }),
        runtimes: [runtime],
      })
      const record = await t.kernel.plugins.start('demo/user')
      if (audit === true) {
        const failure = record.state.name === 'failed' ? record.state.failure : undefined
        assert.deepEqual(
          [failure?.code, failure?.message],
          ['AUDIT_UNAVAILABLE', `demo/user cannot run in audit mode: ${reason}`],
        )
      } else assert.deepEqual([record.state.name, record.audit], ['active', { isOn: false, reason }])
    }
  }
})
