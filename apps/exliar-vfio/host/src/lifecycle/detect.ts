import type { HookStep, Kernel } from '@backplane/kernel'
import {
  deviceEnumeration,
  gpuDetected,
  gpuHandler,
  systemDetected,
  type GpuDevice,
  type PciDevice,
  type SystemInfo,
} from '@exliar-vfio/points'
import { describeMachine, type MachineDescription } from '../devices/describe-machine.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import type { Proposal } from '../plan/plan.ts'
import type { Hooks } from '../plugins/hook-run.ts'

/** What a maker's plugin says that a card needs. */
export interface CardProposal extends Proposal {
  readonly bdf: string
}

/** A plugin that was passed over, and why. */
export interface PluginTrouble {
  readonly plugin: string
  /** The hook or point. */
  readonly at: string
  readonly message: string
}

/** A machine as it was found, with what plugins say of it. */
export interface Detection extends MachineDescription {
  readonly proposals: readonly CardProposal[]
  readonly troubles: readonly PluginTrouble[]
}

/** What detecting works with. */
export interface Detecting {
  readonly tree: MachineTree
  readonly kernel: Pick<Kernel, 'contributions' | 'provider'>
  readonly hooks: Pick<Hooks, 'run'>
  readonly signal: AbortSignal
}

/**
 * The detection phase: the system, then its devices, then each graphics adapter, and after each the plugins that want to
 * know. A plugin that fails is named and passed over. Source: seed 004, "Plugin Lifecycle Example", 3.
 */
export async function detect({ tree, kernel, hooks, signal }: Detecting): Promise<Detection> {
  const found = describeMachine(tree)
  const troubles: PluginTrouble[] = []
  const note = (at: string, steps: readonly HookStep[]): void => {
    for (const { plugin, outcome, message = '' } of steps) {
      if (outcome === 'failed' || outcome === 'skipped') troubles.push({ plugin, at, message })
    }
  }
  note('system-detected', (await hooks.run(systemDetected, found.system, null, signal)).steps)
  const enumerated: readonly PciDevice[] = found.devices
  note('device-enumeration', (await hooks.run(deviceEnumeration, enumerated, null, signal)).steps)
  for (const gpu of found.gpus) note('gpu-detected', (await hooks.run(gpuDetected, gpu, gpu.bdf, signal)).steps)
  const proposals = await proposalsOf({ kernel, signal }, found, troubles)
  return { ...found, gpus: found.gpus.map((gpu) => withQuirks(gpu, proposals)), proposals, troubles }
}

async function proposalsOf(
  { kernel, signal }: Pick<Detecting, 'kernel' | 'signal'>,
  { gpus, system }: { readonly gpus: readonly GpuDevice[]; readonly system: SystemInfo },
  troubles: PluginTrouble[],
): Promise<readonly CardProposal[]> {
  // What is disabled or did not start is asked nothing, as with hooks.
  const handlers = kernel.contributions(gpuHandler).filter(({ available }) => available)
  const asked = handlers.map(async ({ plugin, name }): Promise<readonly CardProposal[]> => {
    const handler = kernel.provider(gpuHandler, name)
    const made: CardProposal[] = []
    try {
      for (const gpu of gpus) {
        if (!(await handler.supportsDevice({ gpu, system }, { signal }))) continue
        for (const quirk of await handler.applyQuirks({ gpu, system }, { signal })) {
          made.push({ plugin, hook: gpuHandler.id, bdf: gpu.bdf, quirk })
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      troubles.push({ plugin, at: gpuHandler.id, message: error instanceof Error ? error.message : String(error) })
    }
    return made
  })
  return (await Promise.all(asked)).flat()
}

function withQuirks(gpu: GpuDevice, proposals: readonly CardProposal[]): GpuDevice {
  const names = proposals.filter(({ bdf }) => bdf === gpu.bdf).map(({ quirk }) => quirk.name)
  return { ...gpu, quirks: [...new Set([...gpu.quirks, ...names])] }
}
