import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { acceptManifest } from '@backplane/kernel'
import { directoryFetcher, Installer } from '@backplane/sources/install'
import { temporaryDirectory } from '@backplane/testing'
import { examineStorage } from './examine-storage.ts'

const options = { signal: new AbortController().signal }

interface Stage {
  readonly root: string
  readonly dataDirectory: string
  readonly store: string
  readonly look: (fix?: boolean) => Promise<readonly (readonly [kind: string, fixed: boolean, action: string])[]>
}

const inOrder = <T extends readonly unknown[]>(rows: readonly T[]): readonly T[] =>
  rows.toSorted((one, other) => (String(one) < String(other) ? -1 : 1))

/** A data directory in which two plugins are installed. */
async function stage(t: TestContext): Promise<Stage> {
  const root = await temporaryDirectory(t)
  const dataDirectory = join(root, 'data')
  const store = join(dataDirectory, 'installed')
  for (const name of ['a', 'b']) {
    await mkdir(join(root, name))
    const manifest = { schemaVersion: 1, id: `acme/${name}`, version: '1.0.0', requires: { api: '^1.0.0' } }
    await writeFile(join(root, name, 'plugin.json'), JSON.stringify(manifest))
    await writeFile(join(root, name, 'index.js'), `export default '${name}'`)
  }
  const installer = new Installer({
    lock: join(dataDirectory, 'backplane.lock'),
    store,
    fetchers: [directoryFetcher({ from: root })],
    judge: () => ({ ok: true, trust: 'unsigned', rules: [] }),
    acceptManifest,
    hostApi: '1.0.0',
  })
  const changes = ['./a', './b'].map((reference) => ({ kind: 'add', reference }) as const)
  await installer.apply(await installer.plan(changes, options), {}, options)
  const look: Stage['look'] = async (fix = false) =>
    (await examineStorage({ installer, dataDirectory, options, fix }))
      .filter(({ subject }) => subject.startsWith(root) || subject.startsWith('acme/'))
      .map(({ kind, fixed, action }) => [kind, fixed, action.replace(/ .*/, '')] as const)
  return { root, dataDirectory, store, look }
}

test('what verify and doctor name is put right, and nothing is touched before that is said', async (t) => {
  const { root, dataDirectory, store, look } = await stage(t)
  assert.deepEqual(await look(), [])
  const entries = (await readdir(store)).filter((name) => name.startsWith('sha256-')).sort()
  const [damaged = '', missing = ''] = entries
  await chmod(join(store, damaged, 'index.js'), 0o644)
  await writeFile(join(store, damaged, 'index.js'), 'evil()')
  await chmod(join(store, missing), 0o700)
  await rename(join(store, missing), join(root, 'lost'))
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  await mkdir(join(store, `.staging-${dead}-0123456789abcdef`))
  await mkdir(join(dataDirectory, `fetching/.staging-${dead}-fedcba9876543210`), { recursive: true })
  const found = [
    ['damaged', false, 'is'],
    ['leftover', false, 'is'],
    ['leftover', false, 'is'],
    ['missing', false, 'is'],
    ['missing', false, 'is'],
  ]
  assert.deepEqual(inOrder(await look()), found)
  assert.deepEqual(inOrder(await look()), found, 'looking changes nothing')
  assert.deepEqual(inOrder(await look(true)), [
    ['damaged', true, 'moved'],
    ['leftover', true, 'removed'],
    ['leftover', true, 'removed'],
    ['missing', true, 'fetched'],
    ['missing', true, 'fetched'],
  ])
  assert.deepEqual(await look(), [])
  assert.equal((await readdir(join(dataDirectory, 'moved-aside'))).length, 1)
  assert.deepEqual((await readdir(store)).filter((name) => name.startsWith('sha256-')).sort(), entries)
})

test('what cannot be had again is told as that, and the rest is put right all the same', async (t) => {
  const { root, store, look } = await stage(t)
  for (const name of (await readdir(store)).filter((each) => each.startsWith('sha256-'))) {
    await chmod(join(store, name), 0o700)
    await rm(join(store, name), { recursive: true })
  }
  await rm(join(root, 'a'), { recursive: true })
  assert.deepEqual(await look(true), [
    ['missing', false, 'could'],
    ['missing', true, 'fetched'],
  ])
})
