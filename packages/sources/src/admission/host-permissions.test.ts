import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { acceptManifest, createKernel, type Kernel } from '@backplane/kernel'
import { anything, defineHook, type PermissionVocabulary } from '@backplane/sdk'
import { temporaryDirectory } from '@backplane/testing'
import { directory } from '../directory.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { importingRuntime } from '../fixtures/importing-runtime.ts'
import { put } from '../fixtures/package-folder.ts'
import { Installer } from '../install/installer.ts'
import { createAdmission } from './create-admission.ts'
import { GrantsFile } from './grants-file.ts'

const { signal } = new AbortController()
const vocabulary: PermissionVocabulary = {
  'vm:read': { sentence: 'see virtual machines', risk: 'low', reason: 'it changes nothing' },
  'vm:edit': { sentence: 'change virtual machines', risk: 'medium', reason: 'one may not start' },
}
const judge = () => ({ ok: true, trust: 'unsigned', rules: [] }) as const

test("permissions of the host's own are locked, and an update that asks for more of them says which", async (t) => {
  const root = await temporaryDirectory(t)
  const packages = join(root, 'packages')
  const installer = new Installer({
    lock: join(root, 'backplane.lock'),
    store: join(root, 'store'),
    fetchers: [directoryFetcher({ from: packages })],
    judge,
    acceptManifest: (manifest, path) => acceptManifest(manifest, path, vocabulary),
    hostApi: '1.0.0',
  })
  await put(packages, 'a', { permissions: ['vm:read'] })
  const plan = await installer.plan([{ kind: 'add', reference: './a' }], { signal })
  await assert.rejects(installer.apply(plan, {}, { signal }), { code: 'INSTALL_UNAPPROVED', message: /vm:read/ })
  await installer.apply(plan, { 'acme/a': ['vm:read'] }, { signal })
  assert.deepEqual((await installer.lock()).plugins['acme/a']?.permissions, ['vm:read'])
  await put(packages, 'a', { version: '1.1.0', permissions: ['vm:read', 'vm:edit'] })
  const [step] = (await installer.plan([{ kind: 'update' }], { signal })).steps
  assert.deepEqual(step?.kind === 'update' && step.permissions.unapproved, ['vm:edit'])
  await put(packages, 'b', { permissions: ['vm:edti'] })
  const unknown = installer.plan([{ kind: 'add', reference: './b' }], { signal })
  await assert.rejects(unknown, { code: 'PERMISSION_INVALID', message: /did you mean vm:edit\?/ })
})

test('a plugin in a folder is held until what it fills takes was approved in the grants', async (t) => {
  const root = await temporaryDirectory(t)
  const started = defineHook('demo.started', { strategy: 'all', value: anything, permission: 'vm:edit' })
  const grants = new GrantsFile(join(root, 'grants.json'))
  const contributes = { 'demo.started': { it: {} } }
  const code = `export default { setup: (scope) => scope.on({ id: 'demo.started', kind: 'hook' }, 'it', () => undefined) }`
  await put(join(root, 'plugins'), 'a', { contributes, permissions: ['vm:edit'] }, { 'index.js': code })
  await put(join(root, 'plugins'), 'b', { contributes }, { 'index.js': code })
  await using kernel: Kernel = await createKernel({
    host: { name: 'demo', api: '1.0.0' },
    points: [started],
    permissions: vocabulary,
    sources: [directory(join(root, 'plugins'), { store: join(root, 'store'), watch: false })],
    runtimes: [importingRuntime()],
    policy: { tier: () => 'trusted' },
    watch: false,
    admission: createAdmission({ judge, grants, approvesDeclared: () => false }),
  })
  const stateOf = (id: string): string | undefined => kernel.plugins.get(id)?.state.name
  assert.deepEqual([stateOf('acme/a'), stateOf('acme/b')], ['blocked', 'failed'])
  await grants.approve('acme/a', ['vm:edit'], 'ops', signal)
  await grants.approve('acme/b', ['vm:edit'], 'ops', signal)
  await kernel.plugins.refresh()
  assert.deepEqual([stateOf('acme/a'), stateOf('acme/b')], ['idle', 'failed'], 'what was not asked for cannot be approved')
  const { failures } = await kernel.emit(started, 'x', {})
  assert.deepEqual([failures, stateOf('acme/a')], [[], 'active'])
})
