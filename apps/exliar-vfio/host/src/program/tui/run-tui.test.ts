import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { operator, type Operator, type Ran } from '../../fixtures/operator.ts'
import { treeSnapshot } from '../../fixtures/tree-snapshot.ts'
import { fakeScreen, type FakeScreen } from './fixtures/fake-screen.ts'

const nvidia = 'two-identical-nvidia-grub-initramfs-tools'

/** Most tests are about the program alone. */
const alone = '[plugins]\ndeny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\nenabled = false\n'

interface Opened {
  readonly person: Operator
  readonly screen: FakeScreen
  /** Quits where the test has not. */
  readonly left: Promise<Ran>
}

async function opened(
  t: TestContext,
  config = alone,
  screen = fakeScreen(),
  machine: Parameters<typeof operator>[1] = nvidia,
): Promise<Opened> {
  const person = await operator(t, machine)
  await person.configure(config)
  const ended = new AbortController()
  const all = open(person, screen, { signal: ended.signal })
  t.after(() => {
    ended.abort(new Error('the test has ended'))
    return all.left
  })
  return all
}

function open(person: Operator, screen: FakeScreen, more: Parameters<Operator['exliar']>[1] = {}): Opened {
  return { person, screen, left: person.exliar([], { ...more, terminal: { screen, ...more.terminal } }) }
}

test('without a verb the interface starts on a terminal, shows the system with where each fact stands, and quits with q', async (t) => {
  const { screen, left } = await opened(t)
  const frame = await screen.until(/bootloader/)
  assert.match(frame, /\[System\]/)
  assert.match(frame, /bootloader +grub {2}\(\/proc\/cmdline\)/)
  assert.equal(screen.isRaw(), true)
  screen.press('q')
  const { code, err, out } = await left
  assert.deepEqual([code, err, out, screen.isRaw()], [0, '', '', false])
  const lastOf = (mode: string): number => screen.raw().lastIndexOf(`\u001B[?${mode}`)
  assert.ok(lastOf('1049l') > lastOf('1049h') && lastOf('1049h') >= 0, 'the other screen buffer was left')
  assert.ok(lastOf('25h') > lastOf('25l'), 'the cursor is shown again')
})

test('a card is looked at, selected, planned, applied and cleaned up, and the tree is what it was, byte for byte', async (t) => {
  const { person, screen, left } = await opened(t)
  const before = treeSnapshot(person.root)
  await screen.until(/bootloader/)
  screen.press('2', 'n')
  const list = await screen.until(/›.*0000:65:00\.0/)
  assert.match(list, /group 41\n/)
  assert.match(list, /0000:65:00\.0 {2}nvidia {2}needs-changes {2}GeForce RTX 2070 SUPER\n +To be bound to vfio-pci/)
  screen.press('g')
  const details = await screen.until(/Verdict: needs-changes/)
  assert.match(details, /Functions of the same card\n {2}0000:65:00\.1 Audio device, driver snd_hda_intel, group 41/)
  screen.press('\u001B')
  await screen.until(/› +0000:65:00\.0/)
  screen.press('s')
  await screen.until(/›\[x\] 0000:65:00\.0/)
  screen.press('c')
  await screen.until(/Plan: pass 0000:65:00 through/)
  assert.deepEqual(treeSnapshot(person.root), before)
  screen.press('\u001B[F')
  await screen.until(/The machine must start again/)
  screen.press('a')
  await screen.until(/Apply \d+ steps\? \[y\/N\]/)
  screen.press('y')
  await screen.until(/Done: \d+ changes/)
  assert.notDeepEqual(treeSnapshot(person.root), before)
  screen.press('4')
  await screen.until(/\d +done +write the script/)
  screen.press('x')
  await screen.until(/Take back all \d+ changes\? \[y\/N\]/)
  screen.press('y')
  await screen.until(
    /Nothing was changed\.[^]*Everything is as it was before\.|Everything is as it was before\.[^]*Nothing was changed\./,
  )
  screen.press('q')
  assert.equal((await left).code, 0)
  assert.deepEqual(treeSnapshot(person.root), before)
})

test('a selection that cannot go is refused with its reason, and what is not agreed to is not done', async (t) => {
  const { person, screen, left } = await opened(t)
  const before = treeSnapshot(person.root)
  await screen.until(/bootloader/)
  screen.press('2', 's', 'c')
  await screen.until(/SELECTION_REFUSED/)
  screen.press('b')
  await screen.until(/the boot\s+screen may go/)
  await screen.until(/Plan: pass/)
  screen.press('a')
  await screen.until(/\[y\/N\]/)
  screen.press('n')
  await screen.until(/Nothing was done\./)
  screen.press('q')
  await left
  assert.deepEqual(treeSnapshot(person.root), before)
})

test('what shares the group of a card is taken along when one says so, and what is done by hand is left out', async (t) => {
  const { screen, left } = await opened(t, alone, fakeScreen(120, 70), 'fedora-grub-dracut-sriov')
  await screen.until(/bootloader/)
  screen.press('2', 'n', 'n', 'n', 'n')
  await screen.until(/› +0000:65:00\.0/)
  screen.press('s', 'c')
  await screen.until(/SELECTION_REFUSED[^]*0000:66:00\.0/)
  screen.press('2', '\u001B[B', '\u001B[B', 't')
  await screen.until(/›\[\+\] 0000:66:00\.0/)
  screen.press('c')
  assert.match(await screen.until(/Plan: pass 0000:65:00[^]*0000:66:00\.0 is taken along/), /make the initial file system anew/)
  screen.press('i')
  assert.doesNotMatch(await screen.until(/initramfs: by hand[^]*Plan: pass/), /make the initial file system anew/)
  screen.press('q')
  await left
})

test('no terminal is too small, and no line is longer than it', async (t) => {
  const { screen, left } = await opened(t, alone, fakeScreen(40, 12))
  await screen.until(/distribution/)
  for (const [columns, rows] of [
    [40, 12],
    [9, 3],
    [1, 1],
    [200, 60],
  ] as const) {
    screen.resize(columns, rows)
    for (const key of ['2', 'g', 'g', '3', '4', '5', '6', '7', '?', '?', '1']) screen.press(key)
    const lines = screen.frame().split('\n')
    assert.ok(lines.length <= Math.max(rows, 24), `${lines.length} lines`)
  }
  screen.resize(40, 12)
  screen.press('2')
  const frame = await screen.until(/exliar {2}2\/7 Devices/)
  for (const line of frame.split('\n')) assert.ok(line.length <= 40, line)
  assert.ok(frame.trimEnd().split('\n').length <= 12)
  screen.press('q')
  assert.equal((await left).code, 0)
})

test('what is logged meanwhile is drawn without the colours it has for a terminal', async (t) => {
  const { screen, left } = await opened(t)
  await screen.until(/bootloader/)
  screen.stderr.write('\u001B[33mwarn\u001B[39m: a card is hot\n')
  assert.match(await screen.until(/a card is hot/), /^warn: a card is hot *$/m)
  screen.press('q')
  await left
})

test('told to end, the interface gives the terminal back', async (t) => {
  const person = await operator(t, nvidia)
  await person.configure(alone)
  const told = new AbortController()
  const { screen, left } = open(person, fakeScreen(), { signal: told.signal })
  await screen.until(/bootloader/)
  told.abort(new Error('ended by SIGTERM'))
  assert.equal((await left).code, 0)
  assert.equal(screen.isRaw(), false)
})

test('what draws is loaded by nothing but the interface', async () => {
  const program = fileURLToPath(new URL('../run-exliar.ts', import.meta.url))
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => (/\\/(ink|react)\\//.test(url) ? console.log(url) : undefined, next(url, context)) })
    await import(${JSON.stringify(program)})
    console.log('loaded')`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=@backplane/source',
    '--input-type=module',
    '-e',
    script,
  ])
  assert.equal(stdout, 'loaded\n')
})

test('where nothing can be drawn the verb says so, and exliar alone prints its help', async (t) => {
  const person = await operator(t, nvidia)
  const { code, error } = await person.exliar(['tui', '--json'])
  assert.deepEqual([code, error().code], [2, 'EXLIAR_NO_TERMINAL'])
  assert.match((await person.exliar([])).err, /Usage: exliar/)
})
