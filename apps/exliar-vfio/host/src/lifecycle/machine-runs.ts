import type { HookStep } from '@backplane/kernel'
import { postVmShutdown, preVmStart, vmStarted, type VmConfig } from '@exliar-vfio/points'
import type { MachineTree } from '../machine/machine-tree.ts'
import { readIds } from '../devices/read-devices.ts'
import type { Hooks } from '../plugins/hook-run.ts'
import { configDifferences } from '../vm/config-differences.ts'
import type { PreStart, PluginChange } from '../vm/start-machine.ts'
import type { DeviceFacts } from '../vm/vm-config.ts'
import type { WatchCallbacks } from '../vm/run-watch.ts'

/** What this machine knows of the functions a guest is given; no more is read, because libvirt waits for it. */
export function deviceFacts(tree: Pick<MachineTree, 'directory'>): DeviceFacts {
  return (bdf) => {
    const ids = readIds(tree, bdf)
    if (ids === undefined) return undefined
    const { class_code, ...facts } = ids
    return { ...facts, is_gpu: class_code.startsWith('03') }
  }
}

/** Asks the plugins before a start, and tells which of them changed what. */
export function preStartOf(hooks: Pick<Hooks, 'run'>, signal: AbortSignal): PreStart {
  return async (config) => {
    const { value, steps } = await hooks.run(preVmStart, config, config.name, signal)
    return { config: value, changes: changesOf(config, steps) }
  }
}

function changesOf(given: VmConfig, steps: readonly HookStep[]): readonly PluginChange[] {
  let before = given
  const changes: PluginChange[] = []
  for (const { plugin, outcome, value } of steps) {
    if (outcome !== 'changed') continue
    // Checked by the point's schema when the handler answered.
    const after = value as VmConfig
    changes.push({ plugin, fields: configDifferences(before, after) })
    before = after
  }
  return changes
}

/** What the process that stays while a machine runs tells its plugins. */
export function watchCallbacks(hooks: Pick<Hooks, 'run'>, signal: AbortSignal): WatchCallbacks {
  return {
    onStart: async (config) => {
      await hooks.run(vmStarted, config, config.name, signal)
    },
    onEnd: async (stats) => {
      await hooks.run(postVmShutdown, stats, stats.name, signal)
    },
  }
}
