import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compiledCode } from '@backplane/testing'
import { development, operator, type Operator } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { treeSnapshot } from '../../apps/exliar-vfio/host/src/fixtures/tree-snapshot.ts'
import { hostilePlugin } from '../exliar-survives-a-hostile-plugin-in-every-hook/hostile-plugin.ts'

const program = fileURLToPath(new URL('../../apps/exliar-vfio/host/src/exliar.ts', import.meta.url))
const nvidia = 'two-identical-nvidia-grub-initramfs-tools'
const withoutPlugins =
  '[plugins]\ndeny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\nenabled = false\n'

interface Process {
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>
  readonly kill: (signal: NodeJS.Signals) => void
}

/** The real process, as a script starts it; `reads` lines of its output are read, then nobody listens. */
function exliar({ root, home }: Operator, args: readonly string[], reads = Infinity): Process {
  const child = spawn(process.execPath, ['--conditions=@backplane/source', program, '--root', root, ...args], {
    env: { ...compiledCode, HOME: home, PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stderr.on('data', (part: Buffer) => (err += part.toString()))
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString()
    if (out.split('\n').length > reads) child.stdout.destroy()
  })
  const ended = once(child, 'exit').then(([code]: unknown[]) => ({ code: code as number | null, out, err }))
  return { ended, kill: (signal) => void child.kill(signal) }
}

test('in a script nobody is asked: what would ask ends with 2 and changes nothing, and a pipe that is closed early is no failure', async (t) => {
  const made = await operator(t, nvidia)
  await made.configure(withoutPlugins)
  const before = treeSnapshot(made.root)
  const asking = await exliar(made, ['apply', '65:00', '--json']).ended
  assert.deepEqual([asking.code, asking.out], [2, ''])
  assert.equal(JSON.parse(asking.err.trimEnd().split('\n').at(-1) ?? '').code, 'EXLIAR_NOBODY_TO_ASK')
  const head = await exliar(made, ['plan', '65:00'], 1).ended
  assert.deepEqual([head.code, head.err], [0, ''])
  assert.deepEqual(treeSnapshot(made.root), before)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} in the middle of an apply takes back what was done, says so, and leaves no process behind`, async (t) => {
    const made = await operator(t, nvidia)
    const { root } = made
    await made.configure(`${development}deny = ["nvidia-handler", "amd-reset", "intel-gvt", "perf-monitor", "notifier"]\n`)
    await made.dropIn('slow', hostilePlugin('slow', 'pre-initramfs-update', 'hangs'))
    const before = treeSnapshot(root)
    const applying = exliar(made, ['apply', '65:00', '--yes'])
    const journal = join(root, 'var/lib/exliar-vfio/journal.jsonl')
    const deadline = AbortSignal.timeout(60_000)
    while (!(existsSync(journal) && /0000:65:00\.3[^]*"done"/.test(readFileSync(journal, 'utf8')))) {
      deadline.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    applying.kill(signal)
    const { code, err } = await applying.ended
    assert.equal(code, 70, err)
    assert.match(err, new RegExp(`APPLY_ROLLED_BACK: .*ended by ${signal}`))
    assert.deepEqual(treeSnapshot(root), before)
  })
}
