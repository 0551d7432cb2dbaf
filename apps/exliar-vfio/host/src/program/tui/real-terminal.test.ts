import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { requireProgram } from '@backplane/testing'
import { development, operator, type Operator } from '../../fixtures/operator.ts'
import { treeSnapshot } from '../../fixtures/tree-snapshot.ts'
import { dropIn } from './fixtures/open-with-plugins.ts'
import { pseudoTerminal, type PseudoTerminal } from './fixtures/pseudo-terminal.ts'

const exliar = fileURLToPath(new URL('../../exliar.ts', import.meta.url))
const deny = 'deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n'

interface Sitting {
  readonly person: Operator
  readonly terminal: PseudoTerminal
  readonly before: ReturnType<typeof treeSnapshot>
  readonly at: (name: string) => Promise<string>
}

/** Somebody who types `exliar`, with the state of the terminal before and after. */
async function sitting(t: TestContext, env: Readonly<Record<string, string>> = {}, slow = false): Promise<Sitting> {
  const person = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  await person.configure(slow ? `${development}${deny}` : `[plugins]\n${deny}enabled = false\n`)
  if (slow) {
    await dropIn(person, {
      id: 'example/slow',
      contributes: { 'exliar.pre-initramfs-update': { it: {} } },
      setup: `scope.on(points.preInitramfsUpdate, 'it', (_, call) => new Promise((_, reject) => call.signal.addEventListener('abort', reject)))`,
    })
  }
  const before = treeSnapshot(person.root)
  const node = `'${process.execPath}' --disable-sigusr1 --conditions=@backplane/source`
  const commands = `
stty -a > "$HOME/before"
sh -c 'echo $$ > "$HOME/pid"; exec ${node.replaceAll("'", '"')} "${exliar}" --root "${person.root}"'
echo $? > "$HOME/code"
stty -a > "$HOME/after"`
  const terminal = pseudoTerminal(t, commands, { HOME: person.home, USER: 'somebody', ...env })
  return { person, terminal, before, at: async (name) => (await readFile(join(person.home, name), 'utf8')).trim() }
}

/** A card is being applied, and the plugin that is asked does not answer. */
async function applying(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<Sitting> {
  const all = await sitting(t, env, true)
  const { person, terminal, before } = all
  await terminal.until(/bootloader +grub/)
  for (const [key, next] of [
    ['2', /\[Devices\][^]*risky/],
    ['n', /› +0000:65:00\.0/],
    ['s', /›\[x\] 0000:65:00\.0/],
    ['c', /Plan: pass 0000:65:00 through/],
    ['a', /\[y\/N\]/],
    ['y', /Applying: [1-9]\d* of \d+ steps done/],
  ] as const) {
    terminal.press(key)
    await terminal.until(next)
  }
  assert.notDeepEqual(treeSnapshot(person.root), before)
  return all
}

// Each has a machine and a terminal of its own.
suite('in a real terminal', { concurrency: true }, () => {
  test('in a real terminal: report, select, plan, apply, clean up, quit; the terminal and the tree are what they were', async (t) => {
    if (!requireProgram(t, 'script', 'bsdutils')) return
    const { person, terminal, before, at } = await sitting(t)
    await terminal.until(/bootloader +grub/)
    terminal.press('2')
    await terminal.until(/\[Devices\][^]*0000:17:00\.0 {2}nvidia {2}risky/)
    terminal.press('n')
    await terminal.until(/› +0000:65:00\.0 {2}nvidia {2}needs-changes/)
    terminal.press('g')
    await terminal.until(/Verdict: needs-changes/)
    terminal.press('\u001B')
    await terminal.until(/› +0000:65:00\.0/)
    terminal.press('s')
    await terminal.until(/›\[x\] 0000:65:00\.0/)
    terminal.press('c')
    await terminal.until(/Plan: pass 0000:65:00 through/)
    terminal.press('a')
    await terminal.until(/Apply \d+ steps\? \[y\/N\]/)
    terminal.press('y')
    await terminal.until(/Done: \d+ changes/)
    assert.notDeepEqual(treeSnapshot(person.root), before)
    terminal.press('4')
    await terminal.until(/1 +done/)
    terminal.press('x')
    await terminal.until(/Take back all \d+ changes\? \[y\/N\]/)
    terminal.press('y')
    await terminal.until(/Everything is as it was before/)
    terminal.press('\u0011')
    await terminal.ended
    assert.deepEqual([await at('code'), await at('after')], ['0', await at('before')])
    assert.deepEqual(treeSnapshot(person.root), before)
    const lastOf = (code: string): number => terminal.raw().lastIndexOf(`\u001B[?${code}`)
    assert.ok(lastOf('1049l') > lastOf('1049h'), 'the other screen buffer was left')
    assert.ok(lastOf('25h') > lastOf('25l'), 'the cursor is shown again')
    assert.ok(lastOf('2004l') > lastOf('2004h'), 'pasting is as it was')
    assert.ok(terminal.raw().includes('\u001B[36m'), 'the verdict has its colour')
  })

  test('a process that is told to end while it applies takes everything back first, and gives the terminal back; without colours nothing has one', async (t) => {
    if (!requireProgram(t, 'script', 'bsdutils')) return
    const { person, terminal, before, at } = await applying(t, { NO_COLOR: '1' })
    process.kill(Number(await at('pid')), 'SIGTERM')
    await terminal.ended
    assert.deepEqual(treeSnapshot(person.root), before)
    assert.equal(await at('after'), await at('before'))
    assert.match(terminal.raw(), /risky[^]*needs-changes/, 'every verdict is a word')
    for (const part of terminal.raw().split('\u001B[')) assert.doesNotMatch(part, /^[\d;]*m/)
  })

  test('when the terminal itself is gone while something is applied, everything is taken back all the same', async (t) => {
    if (!requireProgram(t, 'script', 'bsdutils')) return
    const { person, terminal, before, at } = await applying(t)
    const pid = await at('pid')
    terminal.tear()
    await promisify(execFile)('tail', [`--pid=${pid}`, '-s', '0.1', '-f', '/dev/null'], { timeout: 60_000 })
    assert.deepEqual(treeSnapshot(person.root), before)
  })
})
