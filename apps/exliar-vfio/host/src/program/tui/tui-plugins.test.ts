import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { approvalQueue } from '@backplane/storage'
import { treeSnapshot } from '../../fixtures/tree-snapshot.ts'
import { stateDirectory } from '../state-directory.ts'
import { opened, type PluginFiles } from './fixtures/open-with-plugins.ts'

/** Wants one more kernel parameter when its action is done, and shows what came of it. */
const wishing: PluginFiles = {
  id: 'example/wishing',
  contributes: { 'exliar.panel': { wish: { title: 'Wish' } }, 'exliar.ui-event': { it: {} } },
  permissions: ['boot:edit'],
  setup: `
    const said = []
    const boot = scope.use(points.bootService, 'core')
    scope.on(points.uiEvent, 'it', ({ action }) => {
      if (action !== 'add') return
      boot.add({ parameters: ['wish=' + said.length] }).then(
        () => said.push('granted'),
        (error) => said.push('denied: ' + error.message),
      )
    })
    scope.provide(points.panel, 'wish', {
      render: () => ({ items: [...said.map((text) => ({ kind: 'text', text })), { kind: 'action', id: 'add', label: 'Wish' }] }),
    })`,
}

// Each has a machine and plugins of its own.
suite('plugins in the interface', { concurrency: true }, () => {
  test('a critical operation is shown with who wants what, and done or not as a person says; both are written down', async (t) => {
    const { person, screen, left } = await opened(t, [wishing])
    const before = treeSnapshot(person.root)
    screen.press('6')
    await screen.until(/\[ Wish \]/)
    screen.press('\r')
    await screen.until(/example\/wishing asks for approval: press 7/)
    screen.press('y')
    assert.deepEqual(treeSnapshot(person.root), before, 'on another screen y allows nothing')
    screen.press('7')
    const asked = await screen.until(/wants to[^]*start the kernel with wish=0/)
    assert.match(asked, /› example\/wishing 1\.0\.0 wants to/)
    assert.match(asked, /"parameters": \[\n +"wish=0"/)
    screen.press('n')
    await screen.until(/Why not\?/)
    screen.press('q', 'u', 'i', 'e', 't', '\r')
    await screen.until(/refused +example\/wishing: start the kernel with wish=0 \(quiet\)/)
    screen.press('6')
    await screen.until(/denied: [^]*quiet/)
    assert.deepEqual(treeSnapshot(person.root), before)
    screen.press('\r')
    await screen.until(/asks for approval/)
    screen.press('7')
    await screen.until(/› example\/wishing/)
    screen.press('y')
    await screen.until(/allowed +example\/wishing: start the kernel with wish=1/)
    screen.press('6')
    await screen.until(/granted/)
    assert.match(await readFile(join(person.root, 'etc/default/grub'), 'utf8'), /wish=1/)
    screen.press('4')
    await screen.until(/by example\/wishing/)
    screen.press('q')
    assert.equal((await left).code, 0)
    const state = stateDirectory({ root: person.root, uid: 1000, env: { HOME: person.home } })
    using kept = approvalQueue(join(state, 'approvals.sqlite'))
    assert.deepEqual(
      kept.list({ limit: 10 }).map(({ plugin, state: end, by, reason }) => [plugin, end, by, reason]),
      [
        ['example/wishing', 'approved', 'somebody', null],
        ['example/wishing', 'denied', 'somebody', 'quiet'],
      ],
    )
  })

  test('who leaves while a question is open has refused it', async (t) => {
    const { person, screen, left } = await opened(t, [wishing])
    const before = treeSnapshot(person.root)
    screen.press('6')
    await screen.until(/\[ Wish \]/)
    screen.press('\r')
    await screen.until(/asks for approval/)
    screen.press('q')
    assert.equal((await left).code, 0)
    assert.deepEqual(treeSnapshot(person.root), before)
  })

  test('Ctrl-C while something is applied: it is taken back, the tree is what it was, and the interface goes on', async (t) => {
    const slow: PluginFiles = {
      id: 'example/slow',
      contributes: { 'exliar.pre-initramfs-update': { it: {} } },
      setup: `scope.on(points.preInitramfsUpdate, 'it', (_, call) => new Promise((_, reject) => call.signal.addEventListener('abort', reject)))`,
    }
    const { person, screen, left } = await opened(t, [slow])
    const before = treeSnapshot(person.root)
    screen.press('2', 'n', 's', 'c')
    await screen.until(/Plan: pass/)
    screen.press('a')
    await screen.until(/\[y\/N\]/)
    screen.press('y')
    await screen.until(/Applying: [1-9]\d* of \d+ steps done/)
    assert.notDeepEqual(treeSnapshot(person.root), before)
    screen.press('q')
    await screen.until(/wait, or break it off with Ctrl-C/)
    screen.press('\u0003')
    await screen.until(/Rolled back: somebody broke it off/)
    assert.deepEqual(treeSnapshot(person.root), before)
    screen.press('4')
    await screen.until(/Nothing was changed/)
    screen.press('\u0003')
    assert.equal((await left).code, 0)
  })

  test('what a plugin refuses names it, and what was done is taken back', async (t) => {
    const against: PluginFiles = {
      id: 'example/against',
      contributes: { 'exliar.pre-bootloader-update': { it: {} } },
      setup: `scope.on(points.preBootloaderUpdate, 'it', () => ({ veto: 'not on a Friday' }))`,
    }
    const { person, screen, left } = await opened(t, [against])
    const before = treeSnapshot(person.root)
    screen.press('5')
    await screen.until(/example\/against 1\.0\.0 +\w+ +external/)
    screen.press('2', 'n', 's', 'c')
    await screen.until(/Plan: pass/)
    screen.press('a')
    await screen.until(/\[y\/N\]/)
    screen.press('y')
    await screen.until(/Rolled back: example\/against[^]*not on a\s+Friday[^]*Everything is as it was before/)
    assert.deepEqual(treeSnapshot(person.root), before)
    screen.press('q')
    await left
  })
})
