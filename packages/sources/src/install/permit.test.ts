import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import { GrantsFile } from '../admission/grants-file.ts'
import { put } from '../fixtures/package-folder.ts'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import { Installer } from './installer.ts'

const { signal } = new AbortController()

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
  await installer.permit('acme/a', () => ['fs:read /srv'], signal)
  assert.deepEqual(await permissions(), ['fs:read /srv'])
  await installer.permit('acme/a', (approved) => [...approved, 'exec qemu-img'], signal)
  assert.deepEqual(await permissions(), asked)
  await assert.rejects(
    installer.permit('acme/a', () => ['exec sh'], signal),
    { code: 'INSTALL_NOT_ASKED', message: /exec sh/ },
  )
  await assert.rejects(
    installer.permit('acme/b', () => [], signal),
    { code: 'INSTALL_NOT_LOCKED' },
  )
  assert.deepEqual(await permissions(), asked)
})

test('of two who approve something at the same moment neither is lost, in the lock and in the grants', async (t) => {
  const { installer, packages } = await place(t)
  const asked = ['exec a', 'exec b', 'exec c', 'exec d']
  await put(packages, 'a', { permissions: asked })
  await installer.apply(await installer.plan([{ kind: 'add', reference: './a' }], { signal }), { 'acme/a': asked }, { signal })
  await installer.permit('acme/a', () => [], signal)
  const grants = join(packages, '../grants.json')
  await Promise.all(
    asked.flatMap((one) => {
      const adding = (approved: readonly string[]): readonly string[] => [...approved, one]
      // each as another process would: it has read nothing before
      return [installer.permit('acme/a', adding, signal), new GrantsFile(grants).permit('acme/b', adding, one, signal)]
    }),
  )
  assert.deepEqual((await installer.lock()).plugins['acme/a']?.permissions, asked)
  const read = new GrantsFile(grants)
  await read.load()
  assert.deepEqual(read.permissionsOf('acme/b'), asked)
  await read.permit('acme/b', () => [], 'ops', signal)
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
