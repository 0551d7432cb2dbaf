import assert from 'node:assert/strict'
import { chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { spawnSync } from 'node:child_process'
import { directoryFetcher } from './fetch/directory-fetcher.ts'
import { installingHost } from './fixtures/installing-host.ts'
import { put } from './fixtures/package-folder.ts'
import { temporaryDirectory } from '@backplane/testing'
import { examineStore, takeOut } from './store-examination.ts'

const { signal } = new AbortController()

test('what does not belong into a store, or is not what it says, is named, and taken out when that is wished for', async (t) => {
  const root = await temporaryDirectory(t)
  await put(root, 'a')
  const host = await installingHost(t, [directoryFetcher({ from: root })])
  await host.apply(await host.plan({ kind: 'add', reference: './a' }))
  const { store } = host.places
  const examine = async (): Promise<readonly (readonly [string, string])[]> =>
    (await examineStore(store, signal)).map(({ kind, path }) => [kind, path.slice(store.length + 1).slice(0, 12)] as const)
  assert.deepEqual(await examine(), [])
  assert.deepEqual(await examineStore(join(root, 'nowhere'), signal), [])

  const entry = (await readdir(store)).find((name) => name.startsWith('sha256-')) ?? ''
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  await mkdir(join(store, `.staging-${dead}-0123456789abcdef`))
  await mkdir(join(store, `.staging-${process.ppid}-0123456789abcdef`))
  const strange = `sha256-${'0'.repeat(64)}`
  await cp(join(store, entry), join(store, strange), { recursive: true })
  await chmod(join(store, entry, 'index.js'), 0o644)
  await writeFile(join(store, entry, 'index.js'), 'evil()')
  const flaws = await examineStore(store, signal)
  assert.deepEqual(flaws.map(({ kind }) => kind).sort(), ['damaged', 'leftover', 'unclaimed'], 'somebody who lives is left alone')
  assert.deepEqual((await host.installer.verify(signal)).length, 1, 'nothing was changed by looking')
  const aside = join(root, 'aside')
  for (const flaw of flaws) await takeOut(flaw, aside)
  assert.deepEqual((await readdir(aside)).map((name) => name.slice(0, 71)).sort(), [strange, entry].sort())
  assert.deepEqual(await examine(), [])
  assert.deepEqual((await host.installer.restoreEach({ signal }, new Set(['acme/other']))).restored, [])
  assert.deepEqual((await host.installer.restoreEach({ signal }, new Set(['acme/a']))).restored, ['acme/a'])
  assert.deepEqual(await host.installer.verify(signal), [])
  await rm(aside, { recursive: true })
})
