import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { approvalQueue } from '@backplane/storage'
import { development, operator, type Operator, type Ran } from '../../fixtures/operator.ts'
import { treeSnapshot } from '../../fixtures/tree-snapshot.ts'
import { stateDirectory } from '../state-directory.ts'
import { fakeScreen, type FakeScreen } from './fixtures/fake-screen.ts'

const nvidia = 'two-identical-nvidia-grub-initramfs-tools'
const config = `${development}deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n`

interface PluginFiles {
  readonly id: string
  readonly contributes: Readonly<Record<string, unknown>>
  readonly permissions?: readonly string[]
  /** Statements of its setup. */
  readonly setup: string
}

interface Opened {
  readonly person: Operator
  readonly screen: FakeScreen
  readonly left: Promise<Ran>
}

async function dropIn(person: Operator, { id, contributes, permissions = [], setup }: PluginFiles): Promise<void> {
  const manifest = {
    schemaVersion: 1,
    id,
    version: '1.0.0',
    main: 'index.js',
    requires: { api: '^1.0.0' },
    contributes,
    permissions,
  }
  await person.dropIn(id.replace('/', '-'), {
    'plugin.json': JSON.stringify(manifest),
    'index.js': `import { definePlugin } from '@backplane/sdk'\nimport * as points from '@exliar-vfio/points'\nexport default definePlugin((scope) => {\n${setup}\n})\n`,
  })
}

/** The interface with these plugins, once the machine is shown. */
async function opened(t: TestContext, plugins: readonly PluginFiles[]): Promise<Opened> {
  const person = await operator(t, nvidia)
  await person.configure(config)
  for (const plugin of plugins) await dropIn(person, plugin)
  const screen = fakeScreen()
  const ended = new AbortController()
  const left = person.exliar([], { signal: ended.signal, terminal: { screen } })
  t.after(() => {
    ended.abort(new Error('the test has ended'))
    return left
  })
  await screen.until(/bootloader/)
  return { person, screen, left }
}

/** A panel that shows what its plugin was told of the interface. */
function listener(name: string): PluginFiles {
  return {
    id: `example/${name}`,
    contributes: { 'exliar.panel': { [name]: { title: name } }, 'exliar.ui-event': { it: {} } },
    setup: `
      const told = []
      scope.on(points.uiEvent, 'it', ({ panel, kind, action }) => void told.push([panel, kind, action].join(' ')))
      scope.provide(points.panel, '${name}', {
        render: () => ({ items: [
          ...told.map((text) => ({ kind: 'text', text })),
          { kind: 'action', id: 'first', label: 'First thing' },
          { kind: 'action', id: 'second', label: 'Second thing' },
        ] }),
      })`,
  }
}

test('a panel is told that it was opened, what was done in it and that it was closed; no other plugin hears of it', async (t) => {
  const { screen, left } = await opened(t, [listener('alpha'), listener('beta')])
  screen.press('6')
  await screen.until(/‹alpha› {2}beta[^]*example\/alpha\/alpha opened/)
  screen.press('n')
  await screen.until(/› \[ Second thing \]/)
  screen.press('\r')
  await screen.until(/example\/alpha\/alpha action second/)
  screen.press('\u001B[C')
  const other = await screen.until(/‹beta›[^]*example\/beta\/beta opened/)
  assert.doesNotMatch(other, /alpha\/alpha/)
  screen.press('\u001B[D')
  const again = await screen.until(/alpha opened[^]*action second[^]*alpha closed[^]*alpha opened/)
  assert.doesNotMatch(again, /beta\/beta/)
  screen.press('q')
  assert.equal((await left).code, 0)
})

test('a panel can send what it likes: it steers nothing, and ten thousand rows are cut short', async (t) => {
  const hostile: PluginFiles = {
    id: 'example/hostile',
    contributes: { 'exliar.panel': { hostile: { title: 'x\u202Ey' } } },
    setup: `
      const evil = '\\u001b]0;pwned\\u0007\\u001b[2J\\u009b31m\\u202e\\r\\nred'
      const rows = Array.from({ length: 500 }, (_, row) => [String(row), evil])
      const tables = Array.from({ length: 20 }, () => ({ kind: 'table', columns: [evil, 'b'], rows }))
      scope.provide(points.panel, 'hostile', {
        render: () => ({ items: [
          { kind: 'heading', text: evil },
          { kind: 'gauge', label: evil, value: 1e300, most: 1e-300 },
          { kind: 'chart', label: evil, values: [-5, 0, 1e308], unit: evil.slice(0, 16) },
          { kind: 'fields', fields: [{ label: evil, value: evil }] },
          ...tables,
        ] }),
      })`,
  }
  const { screen, left } = await opened(t, [hostile])
  screen.press('6')
  await screen.until(/pwned/)
  screen.press('\u001B[F')
  await screen.until(/only its first 2000 lines are shown/)
  screen.press('2')
  await screen.until(/\[Devices\]/)
  screen.press('q')
  assert.equal((await left).code, 0)
  // oxlint-disable-next-line no-control-regex -- these are what must not be there
  assert.doesNotMatch(screen.raw(), /\u001B\]|\u009B|\u202E|\u0007|\u001B\[31m/)
})

test('a panel that never answers says so, and everything else goes on meanwhile', async (t) => {
  const mute: PluginFiles = {
    id: 'example/mute',
    contributes: { 'exliar.panel': { mute: { title: 'Mute' } } },
    setup: `scope.provide(points.panel, 'mute', { render: () => new Promise(() => undefined) })`,
  }
  const { screen, left } = await opened(t, [mute])
  screen.press('6')
  await screen.until(/example\/mute has not answered yet/)
  screen.press('2')
  await screen.until(/\[Devices\]/)
  screen.press('6')
  await screen.until(/CALL_DEADLINE/)
  screen.press('q')
  assert.equal((await left).code, 0)
})

test('a plugin that keeps the machine from being looked at keeps nobody from leaving', async (t) => {
  const person = await operator(t, nvidia)
  await person.configure(config)
  await dropIn(person, {
    id: 'example/stuck',
    contributes: { 'exliar.system-detected': { it: {} } },
    setup: `scope.on(points.systemDetected, 'it', () => new Promise(() => undefined))`,
  })
  const screen = fakeScreen()
  const left = person.exliar(['tui'], { terminal: { screen } })
  await screen.until(/The machine is being looked at/)
  screen.press('4')
  await screen.until(/Nothing was changed/)
  screen.press('q')
  assert.equal((await left).code, 0)
  assert.doesNotMatch(screen.frame(), /bootloader/)
})

test('a plugin that was put there meanwhile is found when one looks again', async (t) => {
  const { person, screen, left } = await opened(t, [])
  screen.press('5')
  assert.doesNotMatch(await screen.until(/exliar\/core/), /example\/alpha/)
  await dropIn(person, listener('alpha'))
  screen.press('r')
  await screen.until(/example\/alpha 1\.0\.0/)
  screen.press('6')
  await screen.until(/‹alpha›/)
  screen.press('q')
  assert.equal((await left).code, 0)
})

test('a panel that fails shows why', async (t) => {
  const broken: PluginFiles = {
    id: 'example/broken',
    contributes: { 'exliar.panel': { broken: { title: 'Broken' } } },
    setup: `scope.provide(points.panel, 'broken', { render: () => { throw new Error('no picture today') } })`,
  }
  const { screen, left } = await opened(t, [broken])
  screen.press('6')
  await screen.until(/no picture today/)
  screen.press('q')
  await left
})

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
