import assert from 'node:assert/strict'
import { readdir, chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest, createKernel, type Kernel, type Source } from '@backplane/kernel'
import { anything, defineProvider, unary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import type { Finding, Subject, Verdict } from '@backplane/trust'
import { directory } from '../directory.ts'
import { importingRuntime } from '../fixtures/importing-runtime.ts'
import { put } from '../fixtures/package-folder.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { Installer } from '../install/installer.ts'
import { installed, type InstalledSource } from '../lock/installed.ts'
import { createAdmission } from './create-admission.ts'
import { GrantsFile } from './grants-file.ts'

const { signal } = new AbortController()
const point = defineProvider('demo.echo', { say: unary(anything, anything) })
const contributes = { contributes: { 'demo.echo': { a: {} } } }
const code = `export default { setup: (scope) => scope.provide(${JSON.stringify({ id: 'demo.echo', kind: 'provider' })}, 'a', { say: (value) => value }) }`

/** A verdict that refuses the digests it is told, and says what it was asked. */
class Judge {
  readonly asked: Subject[] = []
  readonly refused = new Set<string>()
  readonly judge = (subject: Subject): Verdict => {
    this.asked.push(subject)
    const locked = subject.locked === undefined || subject.locked.digest === subject.digest
    if (locked && !this.refused.has(subject.id)) {
      return {
        ok: true,
        trust: 'unsigned',
        rules: [{ rule: 'signature', outcome: 'waived', reason: 'nobody signed it; the policy takes it' }],
      }
    }
    return {
      ok: false,
      trust: 'unsigned',
      rules: [{ rule: 'digest', outcome: 'refused', reason: 'it is on no list', fix: 'List it' }],
    }
  }
}

interface Hosting {
  readonly root: string
  readonly judge: Judge
  readonly grants: GrantsFile
  readonly host: (source: Source, more?: { readonly installed?: InstalledSource; readonly declared?: boolean }) => Promise<Kernel>
}

async function hosting(t: TestContext): Promise<Hosting> {
  const root = await temporaryDirectory(t)
  const judge = new Judge()
  const grants = new GrantsFile(join(root, 'grants.json'))
  return {
    root,
    judge,
    grants,
    host: async (source, { installed: locked, declared = false } = {}) => {
      const kernel = await createKernel({
        host: { name: 'demo', api: '1.0.0' },
        points: [point],
        sources: [source],
        runtimes: [importingRuntime()],
        policy: { tier: () => 'trusted' },
        watch: false,
        admission: createAdmission({
          judge: judge.judge,
          grants,
          ...(locked === undefined ? {} : { installed: locked }),
          approvesDeclared: () => declared,
        }),
      })
      t.after(() => kernel[Symbol.asyncDispose]())
      return kernel
    },
  }
}

const say = (kernel: Kernel): Promise<unknown> => kernel.provider(point, 'a').say('x')

test('a package in a folder starts once what it asks for was approved, and not before', async (t) => {
  const { root, grants, host, judge } = await hosting(t)
  await put(join(root, 'plugins'), 'a', { ...contributes, permissions: ['exec rclone'] }, { 'index.js': code })
  const kernel = await host(directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false }))
  assert.equal(kernel.plugins.get('acme/a')?.state.name, 'blocked')
  await grants.approve('acme/a', ['exec qemu-img'], 'somebody', signal)
  await kernel.plugins.refresh()
  assert.equal(kernel.plugins.get('acme/a')?.state.name, 'blocked', 'something else was approved')
  assert.deepEqual(judge.asked, [])
  await grants.approve('acme/a', ['exec rclone'], 'somebody', signal)
  await kernel.plugins.refresh()
  assert.equal(await say(kernel), 'x')
  const record = kernel.plugins.get('acme/a')
  assert.deepEqual(
    judge.asked.map(({ digest, source }) => [digest, source]),
    [[record?.digest, `directory:${record?.path}`]],
  )
  assert.deepEqual(record?.trust, { level: 'unsigned', waived: ['nobody signed it; the policy takes it'] })
})

test('what is declared counts as approved only for sources that the host says so of, and the record tells', async (t) => {
  const { root, host } = await hosting(t)
  await put(join(root, 'plugins'), 'a', { ...contributes, permissions: ['exec rclone'] }, { 'index.js': code })
  const source = directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false })
  const kernel = await host(source, { declared: true })
  assert.equal(await say(kernel), 'x')
  assert.match(kernel.plugins.get('acme/a')?.trust?.waived.join() ?? '', /counts as approved, because it is from directory:/)
})

test('what the lock approved starts, what it names is judged with its place and its digests, and what was changed is not loaded', async (t) => {
  const { root, host, judge } = await hosting(t)
  await put(join(root, 'packages'), 'a', { ...contributes, permissions: ['exec rclone'] }, { 'index.js': code })
  const places = { lock: join(root, 'backplane.lock'), store: join(root, 'store') }
  const installer = new Installer({
    ...places,
    fetchers: [directoryFetcher({ from: join(root, 'packages') })],
    judge: judge.judge,
    acceptManifest,
    hostApi: '1.0.0',
  })
  const plan = await installer.plan([{ kind: 'add', reference: './a' }], { signal })
  await installer.apply(plan, { 'acme/a': ['exec rclone'] }, { signal })
  const source = installed(places)
  const kernel = await host(source, { installed: source })
  assert.equal(await say(kernel), 'x')
  const [atInstall, , atLoad] = judge.asked
  assert.deepEqual([atLoad?.source, atLoad?.digest], [atInstall?.source, atInstall?.digest])
  assert.deepEqual(atLoad?.locked, { digest: atInstall?.digest })
  await kernel[Symbol.asyncDispose]()

  const entry = (await readdir(places.store)).find((name) => name.startsWith('sha256-')) ?? ''
  const file = join(places.store, entry, 'index.js')
  await chmod(file, 0o644)
  await writeFile(file, 'globalThis.evil = true')
  const again = await host(source, { installed: source })
  await assert.rejects(say(again), { code: 'PLUGIN_UNAVAILABLE', message: /does not hold acme\/a 1\.0\.0/ })
  assert.equal(Reflect.get(globalThis, 'evil'), undefined)
})

test('what the verdict refuses is not loaded, and the record names the rule’s reason and what to do', async (t) => {
  const { root, host, judge } = await hosting(t)
  await put(join(root, 'plugins'), 'a', contributes, { 'index.js': 'globalThis.ran = true' })
  judge.refused.add('acme/a')
  const kernel = await host(directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false }))
  await assert.rejects(say(kernel), { hint: 'List it' })
  const { state } = kernel.plugins.get('acme/a') ?? {}
  assert.equal(state?.name === 'failed' && state.failure.message, 'acme/a 1.0.0 is refused: it is on no list')
  assert.equal(Reflect.get(globalThis, 'ran'), undefined)
})

test('grants are a file for people: sorted, kept over a restart, and refused with the place when it is wrong', async (t) => {
  const root = await temporaryDirectory(t)
  const path = join(root, 'grants.json')
  const grants = new GrantsFile(path)
  await grants.load()
  await grants.approve('acme/b', ['exec b'], 'ops', signal)
  await grants.approve('acme/a', ['exec z', 'exec a', 'exec a'], 'ops', signal)
  const again = new GrantsFile(path)
  await again.load()
  assert.deepEqual(Object.keys(again.approvals), ['acme/a', 'acme/b'])
  assert.deepEqual(again.permissionsOf('acme/a'), ['exec a', 'exec z'])
  await again.permit('acme/a', (answers) => ({ ...answers, approved: [] }), 'ops', signal)
  assert.equal(again.permissionsOf('acme/a'), undefined)
  await writeFile(path, '{"grantsVersion": 1, "plugins": {"acme/b": {"permissions": "all"}}}')
  await assert.rejects(again.load(), { code: 'GRANTS_INVALID', message: /permissions of acme\/b/ })
  assert.deepEqual(again.permissionsOf('acme/b'), ['exec b'], 'what was read before stays')
  await assert.rejects(new GrantsFile(path, 10).load(), { code: 'GRANTS_INVALID', message: /more than 10 bytes/ })
})

test('scanners are asked at each start, as what they know grows, once for all at the same time, and not about what serves', async () => {
  const judge = new Judge()
  let asked = 0
  const scan = async (): Promise<readonly Finding[]> => {
    asked += 1
    return [{ rule: `words/${asked}`, severity: 'info', file: 'plugin.json', message: 'fine' }]
  }
  const admission = createAdmission({ judge: judge.judge, scan })
  const staged = { digest: `sha256:${'0'.repeat(64)}`, code: { kind: 'files', directory: '/', main: 'index.js' } } as const
  const about = { id: 'acme/s3', version: '1.0.0', origin: 'external', source: 'x', path: '/' } as const
  const admit = (isServing = false): Promise<unknown> =>
    admission.admit({ ...about, manifest: {} as never, staged, isServing }, signal)
  await Promise.all([admit(), admit()])
  await admit()
  await admit(true)
  assert.deepEqual(
    judge.asked.map(({ findings = [] }) => findings.map(({ rule }) => rule)),
    [['words/1'], ['words/1'], ['words/2'], ['words/2']],
  )
})
