import assert from 'node:assert/strict'
import { access, chmod, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest, checkPackage } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import type { Subject, Verdict } from '@backplane/trust'
import { put } from '../fixtures/package-folder.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { installed } from '../lock/installed.ts'
import { Installer, type Approvals, type InstallerOptions } from './installer.ts'
import type { Change, Plan } from './plan.ts'

const { signal } = new AbortController()
const accepted: Verdict = { ok: true, trust: 'unsigned', rules: [] }

interface Place {
  readonly installer: Installer
  /** Folders of packages, by the last part of their id. */
  readonly packages: string
  readonly options: InstallerOptions
  readonly judged: Subject[]
  readonly do: (changes: readonly Change[], approvals?: Approvals) => Promise<Plan>
  /** `acme/a 1.0.0` of each plugin that a host would find. */
  readonly listed: () => Promise<readonly string[]>
}

async function place(t: TestContext, more: Partial<InstallerOptions> = {}): Promise<Place> {
  const root = await temporaryDirectory(t)
  const packages = join(root, 'packages')
  const judged: Subject[] = []
  const options: InstallerOptions = {
    lock: join(root, 'backplane.lock'),
    store: join(root, 'store'),
    fetchers: [directoryFetcher({ from: packages })],
    judge: (subject) => (judged.push(subject), accepted),
    acceptManifest,
    checkPackage,
    hostApi: '1.0.0',
    referenceOf: (id) => `./${id.split('/')[1]}`,
    ...more,
  }
  const installer = new Installer(options)
  return {
    installer,
    packages,
    options,
    judged,
    do: async (changes, approvals = {}) => {
      const plan = await installer.plan(changes, { signal })
      await installer.apply(plan, approvals, { signal })
      return plan
    },
    listed: async () => {
      const { packages: found, problems } = await installed(options).list(signal)
      assert.deepEqual(problems, [])
      return found.map(({ fingerprint }) => fingerprint.split(' ')[0] ?? '')
    },
  }
}

const add = (name: string): Change => ({ kind: 'add', reference: `./${name}` })

test('what is added is in the lock with what it needs, and a host finds it without asking where it came from', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { dependencies: [{ id: 'acme/b', range: '^1.0.0' }] })
  await put(at.packages, 'b')
  const plan = await at.do([add('a')])
  assert.deepEqual(
    plan.steps.map(({ kind, id }) => [kind, id]),
    [
      ['install', 'acme/b'],
      ['install', 'acme/a'],
    ],
  )
  await rm(at.packages, { recursive: true })
  assert.deepEqual(await at.listed(), ['acme/a@1.0.0', 'acme/b@1.0.0'])
  const { plugins } = await at.installer.lock()
  assert.deepEqual([plugins['acme/a']?.requested, plugins['acme/b']?.requested], ['./a', undefined])
  assert.deepEqual(plugins['acme/a']?.dependencies, { 'acme/b': '^1.0.0' })
})

test('a plan writes nothing, and says what would change', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { permissions: ['exec qemu-img'] })
  const plan = await at.installer.plan([add('a')], { signal })
  assert.deepEqual(
    plan.steps.map((step) => 'permissions' in step && step.permissions),
    [{ asked: ['exec qemu-img'], withheld: [], unapproved: ['exec qemu-img'], dropped: [] }],
  )
  await assert.rejects(access(at.options.lock))
  await assert.rejects(access(at.options.store))
})

test('permissions that nobody approved are refused, also when others were approved', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { permissions: ['exec qemu-img', 'net:connect a.example:443'] })
  await assert.rejects(at.do([add('a')]), { code: 'INSTALL_UNAPPROVED' })
  await assert.rejects(at.do([add('a')], { 'acme/a': ['exec qemu-img'] }), /asks for .*not approved: net:connect a\.example:443/)
  await assert.rejects(access(at.options.lock))
  await at.do([add('a')], { 'acme/a': ['exec qemu-img', 'net:connect a.example:443'] })
  assert.deepEqual((await at.installer.lock()).plugins['acme/a']?.permissions, ['exec qemu-img', 'net:connect a.example:443'])
})

test('an update asks only for what is new, and forgets what is not asked for any more', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { permissions: ['exec qemu-img'] })
  await at.do([add('a')], { 'acme/a': ['exec qemu-img'] })
  await put(at.packages, 'a', { version: '1.1.0', permissions: ['exec rclone'] })
  const plan = await at.installer.plan([{ kind: 'update' }], { signal })
  const [step] = plan.steps
  assert.ok(step?.kind === 'update')
  assert.deepEqual(step.permissions, {
    asked: ['exec rclone'],
    withheld: [],
    unapproved: ['exec rclone'],
    dropped: ['exec qemu-img'],
  })
  assert.deepEqual([step.from?.version, step.from?.manifest?.permissions], ['1.0.0', ['exec qemu-img']])
  await assert.rejects(at.installer.apply(plan, {}, { signal }), { code: 'INSTALL_UNAPPROVED' })
  assert.deepEqual(await at.listed(), ['acme/a@1.0.0'])
  await at.installer.apply(plan, { 'acme/a': ['exec rclone'] }, { signal })
  assert.deepEqual(await at.listed(), ['acme/a@1.1.0'])
})

test('the verdict is asked with the digest of what would be loaded, and what it refuses is not stored', async (t) => {
  const refusing: Verdict = {
    ok: false,
    trust: 'unsigned',
    rules: [{ rule: 'signature', outcome: 'refused', reason: 'nobody signed it', fix: 'Sign it' }],
  }
  const at = await place(t, { judge: () => refusing })
  await put(at.packages, 'a')
  await assert.rejects(at.do([add('a')]), {
    code: 'INSTALL_REFUSED',
    message: 'acme/a 1.0.0 is refused: nobody signed it',
    hint: 'Sign it',
  })
  await assert.rejects(access(at.options.store))
  const good = await place(t)
  await put(good.packages, 'a')
  await good.do([add('a')])
  const { digest } = (await good.installer.lock()).plugins['acme/a']?.artifacts['any'] ?? {}
  assert.deepEqual(
    good.judged.map((subject) => [subject.id, subject.digest]),
    [
      ['acme/a', digest],
      ['acme/a', digest],
    ],
    'for the plan, and when it is applied',
  )
})

test('what others need is not removed without them, and what nobody needs any more goes with what needed it', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { dependencies: [{ id: 'acme/b', range: '^1.0.0' }] })
  await put(at.packages, 'b')
  await at.do([add('a'), add('b')])
  await assert.rejects(at.do([{ kind: 'remove', id: 'acme/b' }]), {
    code: 'INSTALL_NEEDED',
    message: 'acme/b is needed by acme/a',
  })
  await assert.rejects(at.do([{ kind: 'remove', id: 'acme/bb' }]), { code: 'INSTALL_NOT_LOCKED', message: /did you mean/i })
  await at.do([{ kind: 'remove', id: 'acme/b', withUsers: true }])
  assert.deepEqual(await at.listed(), [])
  await at.do([add('a')])
  const plan = await at.do([{ kind: 'remove', id: 'acme/a' }])
  assert.deepEqual(plan.steps, [
    { kind: 'remove', id: 'acme/a', version: '1.0.0', isOrphan: false },
    { kind: 'remove', id: 'acme/b', version: '1.0.0', isOrphan: true },
  ])
})

test('what is locked is changed by its short name too, where that means one plugin', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a')
  await put(at.packages, 'twin')
  await put(at.packages, 'other', { id: 'other/twin' })
  await at.do([add('a'), add('twin'), add('other')])
  await put(at.packages, 'a', { version: '1.1.0' })
  const { steps } = await at.do([{ kind: 'update', id: 'a' }])
  assert.deepEqual(
    steps.map(({ kind, id }) => [kind, id]),
    [['update', 'acme/a']],
  )
  for (const [id, message] of [
    ['twin', /it may be any of acme\/twin, other\/twin/],
    ['twni', /it may be any of acme\/twin, other\/twin/],
    ['nothing-alike', /does not hold nothing-alike$/],
  ] as const) {
    await assert.rejects(at.do([{ kind: 'update', id }]), { code: 'INSTALL_NOT_LOCKED', message })
  }
  await at.do([{ kind: 'remove', id: 'a' }])
  assert.deepEqual(await at.listed(), ['acme/twin@1.0.0', 'other/twin@1.0.0'])
})

test('a plan made against another lock is not applied', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a')
  await put(at.packages, 'b')
  const plan = await at.installer.plan([add('a')], { signal })
  await at.do([add('b')])
  await assert.rejects(at.installer.apply(plan, {}, { signal }), { code: 'LOCK_CHANGED' })
  assert.deepEqual(await at.listed(), ['acme/b@1.0.0'])
})

test('two installers at the same time do not lose each other’s work', async (t) => {
  const at = await place(t)
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) await put(at.packages, name)
  const until = async (name: string): Promise<void> => {
    for (;;) {
      const other = new Installer(at.options)
      const plan = await other.plan([add(name)], { signal })
      try {
        await other.apply(plan, {}, { signal })
        return
      } catch (error) {
        assert.equal(Reflect.get(Object(error), 'code'), 'LOCK_CHANGED')
      }
    }
  }
  await Promise.all(names.map(until))
  assert.deepEqual(
    await at.listed(),
    names.map((name) => `acme/${name}@1.0.0`),
  )
})

test('an entry of the store that was changed is found, not loaded, and fetched again from where the lock says', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a')
  await at.do([add('a')])
  assert.deepEqual(await at.installer.verify(signal), [])
  const entry = (await readdir(at.options.store)).find((name) => name.startsWith('sha256-')) ?? ''
  const file = join(at.options.store, entry, 'index.js')
  await chmod(file, 0o644)
  await writeFile(file, 'evil()')
  assert.deepEqual(
    (await at.installer.verify(signal)).map(({ id }) => id),
    ['acme/a'],
  )
  const [found] = (await installed(at.options).list(signal)).packages
  await assert.rejects(Promise.resolve(found?.stage(signal)), { code: 'INSTALL_NOT_STORED' })
  assert.deepEqual(await at.installer.restore({ signal }), ['acme/a'])
  assert.deepEqual(await at.installer.verify(signal), [])
})

test('a package that changed at its place since it was locked is not taken for it', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a')
  await at.do([add('a')])
  await rm(at.options.store, { recursive: true, force: true })
  await put(at.packages, 'a', {}, { 'index.js': 'other()' })
  await assert.rejects(at.installer.restore({ signal }), { code: 'FETCH_CHANGED' })
})

test('what cannot be fetched again keeps no other plugin from coming back, and is told', async (t) => {
  const at = await place(t)
  for (const name of ['a', 'b', 'c']) {
    await put(at.packages, name)
    await at.do([add(name)])
  }
  await rm(at.options.store, { recursive: true, force: true })
  await put(at.packages, 'a', {}, { 'index.js': 'other()' })
  const { restored, failed } = await at.installer.restoreEach({ signal })
  assert.deepEqual(restored, ['acme/b', 'acme/c'])
  assert.deepEqual(
    failed.map(({ id, error }) => [id, error.code]),
    [['acme/a', 'FETCH_CHANGED']],
  )
  assert.deepEqual(
    (await at.installer.verify(signal)).map(({ id }) => id),
    ['acme/a'],
  )
})

test('who gives up while what is missing is fetched hears that, and is not told of each plugin that it failed', async (t) => {
  const over = new AbortController()
  const at = await place(t)
  await put(at.packages, 'a')
  await at.do([add('a')])
  await rm(at.options.store, { recursive: true, force: true })
  const [fetcher] = at.options.fetchers
  assert.ok(fetcher)
  const leaving = {
    ...fetcher,
    fetch: async () => (over.abort(new Error('left')), Promise.reject(new PlatformError('GONE', 'gone'))),
  }
  const installer = new Installer({ ...at.options, fetchers: [leaving] })
  await assert.rejects(installer.restoreEach({ signal: over.signal }), { message: 'left' })
})

test('a missing entry of the store is a problem that names the plugin', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a')
  await at.do([add('a')])
  await rm(at.options.store, { recursive: true, force: true })
  const { problems } = await installed(at.options).list(signal)
  assert.deepEqual(
    problems.map(({ error, path }) => [error.code, path]),
    [['INSTALL_NOT_STORED', `${at.options.lock}#acme/a`]],
  )
})

test('a version that says another one of itself than its place is refused', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { schemaVersion: 2 })
  await assert.rejects(at.do([add('a')]), { code: 'MANIFEST_INVALID' })
})

test('a plan refuses a package whose manifest says what can not be, and names the field', async (t) => {
  const at = await place(t)
  const cases: readonly [fields: object, code: string, path: string][] = [
    [{ main: 'gone.js' }, 'MANIFEST_MAIN_MISSING', '$.main'],
    [{ main: 'data:text/javascript,0' }, 'MANIFEST_MAIN_MISSING', '$.main'],
    [{ main: '/etc/passwd' }, 'MANIFEST_INVALID', '$.main'],
    [{ main: 'a/../../b.js' }, 'MANIFEST_INVALID', '$.main'],
    [{ config: { type: 'sting' } }, 'CONFIG_SCHEMA_INVALID', '$.config'],
    [{ config: { $ref: 'https://schemas.example/a.json' } }, 'CONFIG_SCHEMA_INVALID', '$.config'],
    [{ version: `1.0.0-${'a'.repeat(251)}` }, 'MANIFEST_INVALID', '$.version'],
  ]
  for (const [fields, code, path] of cases) {
    await put(at.packages, 'a', fields)
    await assert.rejects(
      at.installer.plan([add('a')], { signal }),
      ({ code: found, message, details }: Error & { code: string; details?: { path?: string } }) =>
        found === code && (details?.path ?? message).includes(path),
      JSON.stringify(fields).slice(0, 80),
    )
  }
  await put(at.packages, 'a', { main: './index.js', config: { type: 'object' } })
  await at.installer.plan([add('a')], { signal })
  await put(at.packages, 'a')
  await rename(join(at.packages, 'a/index.js'), join(at.packages, 'a/lib.js'))
  await assert.rejects(at.installer.plan([add('a')], { signal }), {
    code: 'MANIFEST_MAIN_UNSAID',
    message: /its plugin\.json names no main, and there is no index\.js at the top/,
    hint: 'Put index.js at the top of the package of acme/a, or name its module as main in plugin.json.',
  })
})

test('versions that do not fit together are refused with who wants what', async (t) => {
  const at = await place(t)
  await put(at.packages, 'a', { dependencies: [{ id: 'acme/b', range: '^2.0.0' }] })
  await put(at.packages, 'b')
  await assert.rejects(at.do([add('a')]), {
    code: 'INSTALL_CONFLICT',
    message: 'no versions fit together: acme/a 1.0.0 needs acme/b ^2.0.0; acme/b has 1.0.0',
  })
})

test('a reference that nobody fetches says which there are', async (t) => {
  const at = await place(t)
  await assert.rejects(at.do([{ kind: 'add', reference: 'npm:@acme/a' }]), {
    code: 'INSTALL_NO_FETCHER',
    message: /known are directory:/,
  })
})
