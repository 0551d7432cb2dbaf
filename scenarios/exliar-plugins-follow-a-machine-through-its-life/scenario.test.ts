import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryDirectory } from '@backplane/testing'
import { cleanup as cleanupHook } from '@exliar-vfio/points'
import { sampleVmConfig, sampleVmStats } from '@exliar-vfio/points/testing'
import { openChanges, type ChangesOptions } from '../../apps/exliar-vfio/host/src/changes/open-changes.ts'
import { cleanup } from '../../apps/exliar-vfio/host/src/changes/undo.ts'
import { openSession, type OpenedSession } from '../../apps/exliar-vfio/host/src/fixtures/open-session.ts'
import { development, operatorAt } from '../../apps/exliar-vfio/host/src/fixtures/operator.ts'
import { copySampleTree } from '../../apps/exliar-vfio/host/src/fixtures/sample-tree.ts'
import { treeSnapshot } from '../../apps/exliar-vfio/host/src/fixtures/tree-snapshot.ts'
import { configure } from '../../apps/exliar-vfio/host/src/lifecycle/configure.ts'
import { preStartOf, watchCallbacks } from '../../apps/exliar-vfio/host/src/lifecycle/machine-runs.ts'
import { treeWithKernel } from '../../apps/exliar-vfio/host/src/fixtures/kernel-double.ts'
import type { MachineTree } from '../../apps/exliar-vfio/host/src/machine/machine-tree.ts'
import { makePlan } from '../../apps/exliar-vfio/host/src/plan/make-plan.ts'
import { changesOptions } from '../../apps/exliar-vfio/host/src/program/change-work.ts'
import { bindExecutor } from '../../apps/exliar-vfio/host/src/vfio/bind-executor.ts'

const examples = join(import.meta.dirname, '../../examples/exliar-plugins')

interface Life extends OpenedSession {
  readonly tree: MachineTree
  readonly options: ChangesOptions
}

/** What the program's verbs work with, over a machine where the bundled plugins, the examples and the recorder are. */
async function begin(t: TestContext): Promise<Life> {
  const natural = {
    '0000:65:00.0': 'nvidia',
    '0000:65:00.1': 'snd_hda_intel',
    '0000:65:00.2': 'xhci_hcd',
    '0000:65:00.3': 'nvidia-gpu',
  }
  // What the kernel would do with what is written to `sys`.
  const tree = treeWithKernel(await copySampleTree(t, 'two-identical-nvidia-grub-initramfs-tools'), { natural })
  const home = await temporaryDirectory(t)
  await operatorAt(tree.root, home).configure(development)
  const plugins = join(home, '.config/exliar-vfio/plugins')
  for (const name of ['example-plugin', 'gpu-journal']) await cp(join(examples, name), join(plugins, name), { recursive: true })
  await cp(join(import.meta.dirname, 'recorder'), join(plugins, 'recorder'), { recursive: true })
  const standard = changesOptions(tree)
  const options = { ...standard, executors: { ...standard.executors, 'bind-device': bindExecutor({ isLive: true }) } }
  return { ...(await openSession(options, home)), tree, options }
}

/** Source: seed 004, "Plugin Lifecycle Example". */
test('from discovery to unloading, plugins are told of a machine’s life in the order of the plugin interface', async (t) => {
  const { session, tree, options, lines, runs, talk } = await begin(t)
  const before = named(treeSnapshot(tree.root))
  const started: string[] = []
  let discovered: readonly string[]
  {
    await using living = session
    // 1, 2: discovery, dependencies, loading
    const { kernel, hooks } = await living.plugins()
    kernel.events.subscribe(({ event }) => {
      if (event.type === 'plugin.changed' && event.to === 'active') started.push(event.plugin)
    })
    discovered = kernel.plugins.list().map(({ id, state }) => `${id} ${state.name}`)
    assert.deepEqual(discovered, [
      'example/gpu-journal idle',
      'example/recorder idle',
      'exliar/amd-reset idle',
      'exliar/core idle',
      'exliar/intel-gvt idle',
      'exliar/notifier idle',
      'exliar/nvidia-handler idle',
      'exliar/perf-monitor idle',
      'local/example-plugin idle',
    ])
    // 3: detection
    const detection = await living.detect()
    assert.deepEqual(detection.troubles, [])
    // 4: configuration
    const { system, devices } = detection
    const plan = makePlan({ tree, system, devices, selection: { select: ['0000:65:00'] } })
    const { signal } = living.terminal
    {
      await using changes = await openChanges(options)
      const applied = await configure(plan, detection, { changes, hooks, kernel, signal })
      assert.equal(applied.kind, 'applied')
    }
    // 5: a machine
    const config = sampleVmConfig({ name: 'win11' })
    const { config: prepared } = await preStartOf(hooks, signal)(config)
    const watch = watchCallbacks(hooks, signal)
    await watch.onStart(prepared)
    await watch.onEnd(sampleVmStats({ name: 'win11', ended_by: 'shutdown' }))
    // 6: cleanup
    await hooks.run(cleanupHook, { reason: 'cleanup' }, null, signal)
    await using changes = await openChanges(options)
    assert.equal((await cleanup(changes)).complete, true)
  }
  assert.deepEqual(named(treeSnapshot(tree.root)), before)
  assert.deepEqual(talk, [], 'nobody is told anything but what was asked for')

  const said = lines.filter(({ plugin }) => plugin === 'example/recorder').map(({ message }) => message)
  assert.deepEqual(said, [
    'on_load',
    'system-detected Debian GNU/Linux',
    'device-enumeration 18 functions',
    'gpu-detected 0000:17:00.0',
    'gpu-detected 0000:65:00.0',
    'pre-vfio-bind 0000:65:00.0 of nvidia',
    'post-vfio-bind 0000:65:00.0 of vfio-pci',
    'pre-vfio-bind 0000:65:00.1 of snd_hda_intel',
    'post-vfio-bind 0000:65:00.1 of vfio-pci',
    'pre-vfio-bind 0000:65:00.2 of xhci_hcd',
    'post-vfio-bind 0000:65:00.2 of vfio-pci',
    'pre-vfio-bind 0000:65:00.3 of nvidia-gpu',
    'post-vfio-bind 0000:65:00.3 of vfio-pci',
    'pre-initramfs-update initramfs-tools',
    'post-initramfs-update initramfs-tools',
    'pre-bootloader-update grub',
    'post-bootloader-update grub',
    'pre-vm-start win11, KVM hidden',
    'vm-started win11',
    'post-vm-shutdown win11 ended by shutdown',
    'cleanup cleanup',
    'on_unload',
  ])
  const own = (id: string): readonly string[] => lines.filter(({ plugin }) => plugin === id).map(({ message }) => message)
  assert.deepEqual(own('local/example-plugin'), [
    'Example plugin loaded!',
    'System detected: Debian GNU/Linux',
    'GPU detected: GeForce RTX 2070 SUPER (nvidia)',
    'GPU detected: GeForce RTX 2070 SUPER (nvidia)',
  ])
  assert.deepEqual(own('example/gpu-journal').at(-1), 'exliar/nvidia-handler changed 0000:01:00.0')
  assert.match(own('exliar/perf-monitor').at(-1) ?? '', /^VM Performance: Runtime: 3600s/)
  // What another one needs is loaded before it.
  const needed = ['exliar/nvidia-handler', 'local/example-plugin', 'example/recorder']
  assert.deepEqual(
    started.filter((id) => needed.includes(id)),
    needed,
  )
  assert.deepEqual(
    started.toSorted(),
    discovered.map((line) => line.split(' ')[0]).filter((id) => id !== 'exliar/core'),
    'each was loaded, once; the program itself only where a plugin uses it',
  )
  const asked = (hook: string): readonly string[] =>
    runs.filter((run) => run.hook === hook).flatMap(({ steps }) => steps.map(({ plugin, outcome }) => `${plugin} ${outcome}`))
  assert.deepEqual(asked('pre-vm-start'), [
    'exliar/nvidia-handler changed',
    'example/recorder unchanged',
    'exliar/perf-monitor unchanged',
  ])
  assert.deepEqual(asked('cleanup').toSorted(), ['example/recorder unchanged', 'exliar/notifier unchanged'])
})

/** How the double writes a link is its own business; where it leads is looked at by name. */
function named(snapshot: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(snapshot).map(([path, entry]) => [path, entry.startsWith('link') ? (entry.split('/').at(-1) ?? '') : entry]),
  )
}
