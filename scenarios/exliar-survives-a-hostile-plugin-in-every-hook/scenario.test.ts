import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { requireProgram, temporaryDirectory } from '@backplane/testing'
import { pluginEvent, uiEvent } from '@exliar-vfio/points'
import { sampleVmConfig, sampleVmStats } from '@exliar-vfio/points/testing'
import { openSession } from '../../apps/exliar-vfio/host/src/fixtures/open-session.ts'
import { development, operator, type Operator } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { treeSnapshot } from '../../apps/exliar-vfio/host/src/fixtures/tree-snapshot.ts'
import { watchCallbacks } from '../../apps/exliar-vfio/host/src/lifecycle/machine-runs.ts'
import { MachineTree } from '../../apps/exliar-vfio/host/src/machine/machine-tree.ts'
import { changesOptions } from '../../apps/exliar-vfio/host/src/program/change-work.ts'
import { hostilePlugin, type Behaviour } from './hostile-plugin.ts'

const card = '65:00'

/** What is asked stops its step; what is told is passed over. */
const asked = ['pre-vfio-bind', 'pre-initramfs-update', 'pre-bootloader-update'] as const
const told = [
  'system-detected',
  'device-enumeration',
  'gpu-detected',
  'post-vfio-bind',
  'post-initramfs-update',
  'post-bootloader-update',
] as const

/** Only what ships and knows this machine's cards stays beside the hostile ones. */
const innocent = 'nvidia-handler'
const others = ['amd-reset', 'intel-gvt', 'perf-monitor', 'notifier']

/** What each is told as, where it is asked. */
const said: Readonly<Record<Behaviour, RegExp>> = {
  throws: /failed in the step .*it went wrong/,
  exits: /failed in the step .*it exited with code 3/,
  hangs: /failed in the step .*did not finish .* within 2000 ms/,
  'answers junk': /failed in the step .*answered/,
  vetoes: /refused the step .*not today/,
  'eats memory': /failed in the step .*it ran out of memory/,
}
const behaviours = Object.keys(said) as readonly Behaviour[]

/** The first behaviour meets every hook, each other one some; together they meet all. `HOSTILE=all`: each meets each. */
function metBy<Hook>(behaviour: Behaviour, hooks: readonly Hook[]): readonly Hook[] {
  const index = behaviours.indexOf(behaviour)
  return index === 0 || process.env['HOSTILE'] === 'all' ? hooks : hooks.filter((_, at) => at % 3 === index % 3)
}

/** An answer where nobody asks for one is nobody's business. */
const outcomeOf = (behaviour: Behaviour): string =>
  behaviour === 'vetoes' || behaviour === 'answers junk' ? 'unchanged' : 'failed'

function config(behaviour: Behaviour, denied: readonly string[] = others): string {
  return `${development}deny = ${JSON.stringify(denied)}\n${behaviour === 'hangs' ? 'hook_timeout_seconds = 2\n' : ''}`
}

async function hostileMachine(
  t: TestContext,
  behaviour: Behaviour,
  hooks: readonly string[],
  denied = others,
): Promise<Operator> {
  const made = await operator(t, 'two-identical-nvidia-grub-initramfs-tools')
  await made.configure(config(behaviour, denied))
  for (const hook of hooks) await made.dropIn(`bad-in-${hook}`, hostilePlugin(`bad-in-${hook}`, hook, behaviour))
  return made
}

describe('a hostile plugin', { concurrency: 2 }, () => {
  for (const behaviour of behaviours) {
    test(`one that ${behaviour} where it is asked stops the step and is named; the machine is as it was and goes on without it`, async (t) => {
      const { exliar, root } = await hostileMachine(t, behaviour, metBy(behaviour, asked), [innocent, ...others])
      const before = treeSnapshot(root)
      for (const hook of metBy(behaviour, asked)) {
        const culprit = `local/bad-in-${hook}`
        const { code, error } = await exliar(['apply', card, '--yes', '--json'])
        const { code: name, plugin, message } = error()
        assert.deepEqual([code, name, plugin], [70, 'APPLY_ROLLED_BACK', culprit], message)
        assert.match(message, said[behaviour])
        assert.ok(message.startsWith(`${culprit} `) && message.includes(`the step ${hook}`), message)
        assert.deepEqual(treeSnapshot(root), before)
        const { runs } = (await exliar(['trace', hook, '--json'])).json()
        assert.equal(runs[0].refused.plugin, culprit)
        assert.equal((await exliar(['plugins', 'disable', culprit])).code, 0)
      }
      assert.equal((await exliar(['apply', card, '--yes'])).code, 0)
      assert.equal((await exliar(['cleanup', '--yes'])).code, 0)
      assert.deepEqual(treeSnapshot(root), before)
    })

    test(`one that ${behaviour} where it is told is named and passed over; the others are told, and all is done and taken back`, async (t) => {
      const hooks = metBy(behaviour, [...told, 'cleanup'])
      const { exliar, root } = await hostileMachine(t, behaviour, hooks)
      const before = treeSnapshot(root)
      const applied = await exliar(['apply', card, '--yes'])
      assert.equal(applied.code, 0, applied.err)
      const cleaned = await exliar(['cleanup', '--yes'])
      assert.equal(cleaned.code, 0, cleaned.err)
      assert.deepEqual(treeSnapshot(root), before)
      for (const hook of hooks) {
        const culprit = `local/bad-in-${hook}`
        const { runs } = (await exliar(['trace', hook, '--json', '--last', '10'])).json()
        const first = runs.at(-1).steps.find(({ plugin }: { plugin: string }) => plugin === culprit)
        assert.equal(first.outcome, outcomeOf(behaviour), hook)
        const named = `${applied.err}${cleaned.err}`.includes(`passed over: ${culprit} `)
        assert.equal(named, first.outcome === 'failed', `${hook}: ${applied.err}${cleaned.err}`)
        const rest = runs.at(-1).steps.filter(({ plugin }: { plugin: string }) => plugin === `exliar/${innocent}`)
        // A deadline this short may meet others too, where the machine is busy.
        if (behaviour !== 'hangs') assert.ok(rest.every(({ outcome }: { outcome: string }) => outcome === 'unchanged'))
      }
    })

    test(`one that ${behaviour} while a machine runs, a panel is used or another one says something, is named and the others are told`, async (t) => {
      const hooks = metBy(behaviour, ['vm-started', 'post-vm-shutdown', 'ui-event', 'plugin-event'])
      const { root, home } = await hostileMachine(t, behaviour, hooks)
      const { session, runs } = await openSession(changesOptions(MachineTree.open(root)), home)
      await using living = session
      const { hooks: running } = await living.plugins()
      const { signal } = living.terminal
      const watch = watchCallbacks(running, signal)
      await watch.onStart(sampleVmConfig())
      await watch.onEnd(sampleVmStats())
      await running.run(uiEvent, { panel: 'local/cards', kind: 'opened', action: null }, null, signal)
      await running.run(pluginEvent, { type: 'gpu_optimization', payload: null }, null, signal)
      const steps = runs.flatMap((run) => run.steps.map(({ plugin, outcome }) => `${run.hook}: ${plugin} ${outcome}`))
      assert.deepEqual(
        steps,
        hooks.map((hook) => `${hook}: local/bad-in-${hook} ${outcomeOf(behaviour)}`),
      )
    })

    if (metBy(behaviour, ['pre-vm-start']).length === 0) continue
    test(`one that ${behaviour} before a machine’s start stops that start and is named, and the machine is not touched`, async (t) => {
      if (!requireProgram(t, 'virsh', 'libvirt-clients')) return
      const { exliar, configure } = await hostileMachine(t, behaviour, ['pre-vm-start'])
      const file = join(await temporaryDirectory(t), 'node.xml')
      await writeFile(file, node)
      await configure(`${config(behaviour)}[vm]\nconnect = "test://${file}"\n`)
      const { code, error } = await exliar(['vm', 'start', 'tiny', '--json'])
      const { code: name, plugin, message } = error()
      assert.deepEqual([code, name, plugin], [70, 'HOOK_FAILED', 'local/bad-in-pre-vm-start'], message)
      assert.equal((await exliar(['status'])).out, 'Nothing was changed.\n')
      await exliar(['plugins', 'disable', 'local/bad-in-pre-vm-start'])
      assert.equal((await exliar(['vm', 'start', 'tiny'])).code, 0)
    })
  }
  for (const [criticality, stops] of [
    ['optional', false],
    ['fail-closed', true],
  ] as const) {
    test(`one that cannot start is ${stops ? 'waited for where it must not be missing' : 'passed over and named where it may be missing'}`, async (t) => {
      const { exliar, root, dropIn } = await hostileMachine(t, 'throws', [])
      const files = hostilePlugin('guard', 'pre-vfio-bind', 'throws', { criticality })
      await dropIn('guard', { ...files, 'index.js': 'throw new Error("no licence")' })
      const before = treeSnapshot(root)
      const { code, err } = await exliar(['apply', card, '--yes'])
      assert.equal(code, stops ? 70 : 0, err)
      assert.match(
        err,
        stops
          ? /^APPLY_ROLLED_BACK: local\/guard failed in the step pre-vfio-bind/m
          : /passed over: local\/guard in pre-vfio-bind/,
      )
      assert.match(err, /no licence/)
      if (stops) assert.deepEqual(treeSnapshot(root), before)
    })
  }

  test('one that must not be missing and fails where it is told stops the step too, and what was done is taken back', async (t) => {
    const { exliar, root, dropIn } = await hostileMachine(t, 'throws', [])
    await dropIn('witness', hostilePlugin('witness', 'post-initramfs-update', 'throws', { criticality: 'fail-closed' }))
    const before = treeSnapshot(root)
    const { code, error } = await exliar(['apply', card, '--yes', '--json'])
    assert.deepEqual([code, error().code, error().plugin], [70, 'APPLY_ROLLED_BACK', 'local/witness'])
    assert.deepEqual(treeSnapshot(root), before)
  })

  test('one that is polite for two functions and refuses the third has them given back', async (t) => {
    const { exliar, root, dropIn } = await hostileMachine(t, 'throws', [])
    await dropIn('picky', hostilePlugin('picky', 'pre-vfio-bind', 'vetoes', { politeFor: 2 }))
    const before = treeSnapshot(root)
    const { err } = await exliar(['apply', card, '--yes'])
    assert.match(err, /^undone +.*0000:65:00\.1/m)
    assert.match(err, /^APPLY_ROLLED_BACK: local\/picky refused the step pre-vfio-bind: not today/m)
    assert.deepEqual(treeSnapshot(root), before)
  })

  test('a person who breaks off an apply while one hangs gets the machine back as it was', async (t) => {
    const { exliar, root, dropIn } = await hostileMachine(t, 'throws', [])
    await dropIn('slow', hostilePlugin('slow', 'pre-initramfs-update', 'hangs'))
    const before = treeSnapshot(root)
    const broken = new AbortController()
    const journal = join(root, 'var/lib/exliar-vfio/journal.jsonl')
    const applying = exliar(['apply', card, '--yes'], { signal: broken.signal })
    // By then it is in the middle: the functions are bound, and the plugin is asked.
    await until(() => existsSync(journal) && /0000:65:00\.3[^]*"done"/.test(readFileSync(journal, 'utf8')))
    broken.abort(new Error('somebody broke it off'))
    const { code, err } = await applying
    assert.equal(code, 70)
    assert.match(err, /^APPLY_ROLLED_BACK: .*somebody broke it off/m)
    assert.deepEqual(treeSnapshot(root), before)
  })
})

async function until(holds: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(60_000)
  while (!holds()) {
    deadline.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const node = `<node>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><test:runstate>5</test:runstate><name>tiny</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid><memory>32768</memory><vcpu>1</vcpu>
    <os><type>hvm</type></os></domain>
</node>
`
