import assert from 'node:assert/strict'
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { temporaryDirectory } from '@backplane/testing'
import type { Verdict } from '@backplane/trust'
import { directoryFetcher } from '../fetch/directory-fetcher.ts'
import type { AvailableVersion, Fetcher } from '../fetch/fetcher.ts'
import { put } from '../fixtures/package-folder.ts'
import { Installer } from './installer.ts'
import type { Change, Plan } from './plan.ts'

const { signal } = new AbortController()
const permissions = ['exec qemu-img']

interface Place {
  readonly root: string
  readonly installer: Installer
  /** Who vouches by the verdict; undefined: nobody; `refused`. */
  who: string | undefined
  /** References of several versions → the folders that hold them, best first. */
  readonly offers: Map<string, readonly string[]>
}

async function place(t: TestContext): Promise<Place> {
  const root = await temporaryDirectory(t)
  const folders = directoryFetcher({ from: root })
  const offers = new Map<string, readonly string[]>()
  const fetcher: Fetcher = {
    ...folders,
    versions: async (reference, options) => {
      const each = offers.get(reference)?.map((folder) => folders.versions(folder, options)) ?? [
        folders.versions(reference, options),
      ]
      return (await Promise.all(each)).flat() satisfies readonly AvailableVersion[]
    },
  }
  const judge = (): Verdict => {
    if (at.who === 'refused') {
      return { ok: false, trust: 'unsigned', rules: [{ rule: 'advisory', outcome: 'refused', reason: 'it is dangerous' }] }
    }
    return { ok: true, trust: 'signed', rules: [], ...(at.who === undefined ? {} : { publisher: at.who }) }
  }
  const installer = new Installer({
    lock: join(root, 'backplane.lock'),
    store: join(root, 'store'),
    fetchers: [fetcher],
    judge,
    acceptManifest,
    hostApi: '1.0.0',
    referenceOf: (id) => `./${id.split('/')[1]}`,
  })
  const at: Place = { root, installer, offers, who: undefined }
  return at
}

async function make({ installer }: Place, ...changes: readonly Change[]): Promise<Plan> {
  return installer.plan(changes, { signal })
}

async function install(at: Place, reference: string): Promise<void> {
  const plan = await make(at, { kind: 'add', reference })
  await at.installer.apply(plan, { 'acme/a': permissions }, { signal })
}

const unapproved = ({ steps }: Plan): readonly string[] =>
  steps.flatMap((step) => ('permissions' in step ? step.permissions.unapproved : []))
const to = ({ steps }: Plan): readonly string[] => steps.map(({ id, version }) => `${id} ${version}`)

test('a package of somebody else under the same id has none of the approvals', async (t) => {
  const at = await place(t)
  await put(at.root, 'a', { permissions })
  await put(at.root, 'fork', { id: 'acme/a', version: '1.0.1', permissions })
  await install(at, './a')
  const plan = await make(at, { kind: 'add', reference: './fork' })
  assert.deepEqual(unapproved(plan), permissions)
  await assert.rejects(at.installer.apply(plan, {}, { signal }), { code: 'INSTALL_UNAPPROVED' })
})

test('approvals stay where the same publisher vouches, wherever it comes from, and go where another does', async (t) => {
  const at = await place(t)
  at.who = 'acme'
  await put(at.root, 'a', { permissions })
  await install(at, './a')
  await put(at.root, 'moved', { id: 'acme/a', version: '1.0.1', permissions })
  assert.deepEqual(unapproved(await make(at, { kind: 'add', reference: './moved' })), [])
  at.who = 'evil'
  assert.deepEqual(unapproved(await make(at, { kind: 'add', reference: './moved' })), permissions)
  at.who = undefined
  assert.deepEqual(unapproved(await make(at, { kind: 'add', reference: './moved' })), permissions)
})

test('a plan whose own word is that all is approved gets nothing past the approvals', async (t) => {
  const at = await place(t)
  await put(at.root, 'a', { permissions })
  const { steps, ...plan } = await make(at, { kind: 'add', reference: './a' })
  const [step] = steps
  assert.ok(step?.kind === 'install')
  const forged = [{ ...step, permissions: { asked: permissions, withheld: [], unapproved: [], dropped: [] } }]
  await assert.rejects(at.installer.apply({ ...plan, steps: forged }, {}, { signal }), { code: 'INSTALL_UNAPPROVED' })
  await assert.rejects(access(join(at.root, 'store')))
})

test('what the verdict refuses by the time a plan is applied is not stored', async (t) => {
  const at = await place(t)
  await put(at.root, 'a')
  const plan = await make(at, { kind: 'add', reference: './a' })
  at.who = 'refused'
  await assert.rejects(at.installer.apply(plan, {}, { signal }), { code: 'INSTALL_REFUSED', message: /it is dangerous/ })
  await assert.rejects(access(join(at.root, 'store')))
})

test('what the verdict refuses is not restored', async (t) => {
  const at = await place(t)
  await put(at.root, 'a')
  await install(at, './a')
  await rm(join(at.root, 'store'), { recursive: true, force: true })
  at.who = 'refused'
  await assert.rejects(at.installer.restore({ signal }), { code: 'INSTALL_REFUSED' })
  await assert.rejects(access(join(at.root, 'store', '.owners')))
})

test('an update never goes back, not even where the source has only older versions left', async (t) => {
  const at = await place(t)
  await put(at.root, 'old', { id: 'acme/a', version: '1.0.0' })
  await put(at.root, 'new', { id: 'acme/a', version: '2.0.0' })
  at.offers.set('./all', ['./new', './old'])
  await install(at, './all')
  at.offers.set('./all', ['./old'])
  assert.deepEqual(to(await make(at, { kind: 'update' })), [])
  assert.deepEqual(to(await make(at, { kind: 'add', reference: './all' })), ['acme/a 1.0.0'])
})

test('a plugin that asks for an old version of an installed one does not get it', async (t) => {
  const at = await place(t)
  await put(at.root, 'old', { id: 'acme/a', version: '1.0.0' })
  await put(at.root, 'new', { id: 'acme/a', version: '2.0.0' })
  at.offers.set('./all', ['./new', './old'])
  await install(at, './all')
  await put(at.root, 'b', { dependencies: [{ id: 'acme/a', range: '^1.0.0' }] })
  await assert.rejects(make(at, { kind: 'add', reference: './b' }), {
    code: 'INSTALL_CONFLICT',
    message: /needs acme\/a \^1\.0\.0/,
  })
  const both = await make(at, { kind: 'add', reference: './b' }, { kind: 'add', reference: './old' })
  assert.deepEqual(to(both), ['acme/a 1.0.0', 'acme/b 1.0.0'])
})
