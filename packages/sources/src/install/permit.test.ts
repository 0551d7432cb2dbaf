import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { GrantsFile, type PermissionAnswers } from '../admission/grants-file.ts'
import { put } from '../fixtures/package-folder.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { Installer } from './installer.ts'

const { signal } = new AbortController()

type Permitted = (answers: PermissionAnswers) => PermissionAnswers
const approving =
  (approved: readonly string[]): Permitted =>
  (answers) => ({ ...answers, approved })
const adding =
  (one: string): Permitted =>
  ({ approved, withheld }) => ({ approved: [...approved, one], withheld })
const withholding =
  (...withheld: readonly string[]): Permitted =>
  (answers) => ({ ...answers, withheld })

async function place(
  t: TestContext,
): Promise<{ readonly installer: Installer; readonly packages: string; readonly store: string }> {
  const root = await temporaryDirectory(t)
  const [packages, store] = [join(root, 'packages'), join(root, 'store')]
  const installer = new Installer({
    lock: join(root, 'backplane.lock'),
    store,
    fetchers: [directoryFetcher({ from: packages })],
    judge: () => ({ ok: true, trust: 'unsigned', rules: [] }),
    acceptManifest,
    hostApi: '1.0.0',
  })
  return { installer, packages, store }
}

test('what was approved of an installed plugin is taken back and approved again, and nothing it does not ask for', async (t) => {
  const { installer, packages } = await place(t)
  const asked = ['exec qemu-img', 'fs:read /srv']
  await put(packages, 'a', { permissions: asked })
  const plan = await installer.plan([{ kind: 'add', reference: './a' }], { signal })
  await installer.apply(plan, { 'acme/a': asked }, { signal })
  const permissions = async (): Promise<readonly string[] | undefined> => (await installer.lock()).plugins['acme/a']?.permissions
  await installer.permit('acme/a', approving(['fs:read /srv']), signal)
  assert.deepEqual(await permissions(), ['fs:read /srv'])
  await installer.permit('acme/a', adding('exec qemu-img'), signal)
  assert.deepEqual(await permissions(), asked)
  await assert.rejects(installer.permit('acme/a', approving(['exec sh']), signal), {
    code: 'INSTALL_NOT_ASKED',
    message: /exec sh/,
  })
  await assert.rejects(installer.permit('acme/b', approving([]), signal), { code: 'INSTALL_NOT_LOCKED' })
  assert.deepEqual(await permissions(), asked)
})

test('of two who approve something at the same moment neither is lost, in the lock and in the grants', async (t) => {
  const { installer, packages } = await place(t)
  const asked = ['exec a', 'exec b', 'exec c', 'exec d']
  await put(packages, 'a', { permissions: asked })
  await installer.apply(await installer.plan([{ kind: 'add', reference: './a' }], { signal }), { 'acme/a': asked }, { signal })
  await installer.permit('acme/a', approving([]), signal)
  const grants = join(packages, '../grants.json')
  await Promise.all(
    asked.flatMap((one) => {
      // each as another process would: it has read nothing before
      return [installer.permit('acme/a', adding(one), signal), new GrantsFile(grants).permit('acme/b', adding(one), one, signal)]
    }),
  )
  assert.deepEqual((await installer.lock()).plugins['acme/a']?.permissions, asked)
  const read = new GrantsFile(grants)
  await read.load()
  assert.deepEqual(read.permissionsOf('acme/b'), asked)
  await read.permit('acme/b', approving([]), 'ops', signal)
  assert.deepEqual(read.approvals, {}, 'nothing approved is nothing kept')
})

test('collecting keeps what the lock names and the version to go back to', async (t) => {
  const { installer, packages, store } = await place(t)
  for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0']) {
    await put(packages, 'a', { version })
    const change = version === '1.0.0' ? ({ kind: 'add', reference: './a' } as const) : ({ kind: 'update' } as const)
    await installer.apply(await installer.plan([change], { signal }), {}, { signal })
  }
  await installer.collect()
  const left = (await readdir(store)).filter((name) => name.startsWith('sha256-'))
  assert.equal(left.length, 2)
  assert.deepEqual(await installer.verify(signal), [])
  assert.equal(await installer.collect(), 0)
})

test('what is withheld is not approved, stays so over updates, and is given back by itself', async (t) => {
  const { installer, packages } = await place(t)
  const net = 'net:connect api.example.org:443'
  await put(packages, 'a', { permissions: ['exec a', net] })
  const plan = await installer.plan(
    [{ kind: 'add', reference: './a' }],
    { signal },
    { 'acme/a': [net], 'acme/other': ['exec b'] },
  )
  const change = (made: typeof plan): unknown => made.steps.map((step) => step.kind !== 'remove' && step.permissions)
  const asked = ['exec a', net]
  assert.deepEqual(change(plan), [{ asked, withheld: [net], unapproved: ['exec a'], dropped: [] }])
  await assert.rejects(installer.apply(plan, {}, { signal }), { code: 'INSTALL_UNAPPROVED', message: /exec a$/ })
  await installer.apply(plan, { 'acme/a': ['exec a'] }, { signal })
  const answers = async (): Promise<unknown> => {
    const { permissions, withheld } = (await installer.lock()).plugins['acme/a'] ?? {}
    return [permissions, withheld]
  }
  assert.deepEqual(await answers(), [['exec a'], [net]])
  for (const [version, permissions] of [
    ['1.1.0', ['exec a']],
    ['1.2.0', ['exec a', net]],
  ] as const) {
    await put(packages, 'a', { version, permissions })
    const update = await installer.plan([{ kind: 'update' }], { signal })
    const withheld = permissions.filter((one) => one === net)
    assert.deepEqual(change(update), [{ asked: permissions, withheld, unapproved: [], dropped: [] }])
    await installer.apply(update, {}, { signal })
    assert.deepEqual(await answers(), [['exec a'], [net]], `with ${version}`)
  }
  await assert.rejects(installer.permit('acme/a', withholding('exec sh'), signal), { code: 'INSTALL_NOT_ASKED' })
  await installer.permit('acme/a', withholding(net, 'exec a'), signal)
  assert.deepEqual(await answers(), [[], ['exec a', net]], 'withheld wins')
  await installer.permit('acme/a', () => ({ approved: [net], withheld: [] }), signal)
  assert.deepEqual(await answers(), [[net], undefined])
})

test('the grants keep what is withheld, also where nothing is approved, and refuse what is no list', async (t) => {
  const path = join(await temporaryDirectory(t), 'grants.json')
  const grants = new GrantsFile(path)
  await grants.permit('acme/a', withholding('exec b', 'exec a'), 'ops', signal)
  const again = new GrantsFile(path)
  await again.load()
  assert.deepEqual(
    [again.withheldFrom('acme/a'), again.permissionsOf('acme/a'), again.withheldFrom('acme/b')],
    [['exec a', 'exec b'], [], []],
  )
  await again.permit('acme/a', () => ({ approved: [], withheld: [] }), 'ops', signal)
  assert.deepEqual(again.approvals, {})
  await writeFile(path, '{"grantsVersion": 1, "plugins": {"acme/a": {"permissions": [], "withheld": "exec a"}}}')
  await assert.rejects(again.load(), { code: 'GRANTS_INVALID', message: /withheld of acme\/a must be a list of strings/ })
})
