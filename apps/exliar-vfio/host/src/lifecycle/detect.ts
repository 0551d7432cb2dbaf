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
import { inOneLine } from '../plan/plan-draft.ts'
import type { Hooks } from '../plugins/hook-run.ts'
import { unlessMissing } from './unless-missing.ts'

/** What a maker's plugin says that a card needs. */
export interface CardProposal extends Proposal {
  readonly bdf: string
}

/** What a maker's plugin says of a card as it is now. */
export interface CardAdvice {
  readonly plugin: string
  readonly bdf: string
  /** False: it will not work as it is. */
  readonly ready: boolean
  /** Sentences, each in one line. */
  readonly notes: readonly string[]
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
  readonly advice: readonly CardAdvice[]
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
  const said = await askHandlers({ kernel, signal }, found, troubles)
  return { ...found, gpus: found.gpus.map((gpu) => asSaid(gpu, said)), ...said, troubles }
}

type Said = Pick<Detection, 'proposals' | 'advice'>

async function askHandlers(
  { kernel, signal }: Pick<Detecting, 'kernel' | 'signal'>,
  { gpus, system }: { readonly gpus: readonly GpuDevice[]; readonly system: SystemInfo },
  troubles: PluginTrouble[],
): Promise<Said> {
  // What is disabled or did not start is asked nothing, as with hooks.
  const handlers = kernel.contributions(gpuHandler).filter(({ available }) => available)
  const asked = handlers.map(async ({ plugin, name }): Promise<Said> => {
    const handler = kernel.provider(gpuHandler, name)
    const proposals: CardProposal[] = []
    const advice: CardAdvice[] = []
    try {
      for (const gpu of gpus) {
        if (!(await handler.supportsDevice({ gpu, system }, { signal }))) continue
        for (const quirk of await handler.applyQuirks({ gpu, system }, { signal })) {
          proposals.push({ plugin, hook: gpuHandler.id, bdf: gpu.bdf, quirk })
        }
        const isBound = gpu.driver === 'vfio-pci'
        const ask = isBound ? handler.verifyPassthroughReady : handler.prepareForPassthrough
        const { ready, notes } = await ask({ gpu, system }, { signal }).catch(unlessMissing)
        advice.push({ plugin, bdf: gpu.bdf, ready, notes: notes.map(inOneLine) })
      }
    } catch (error) {
      signal.throwIfAborted()
      troubles.push({ plugin, at: gpuHandler.id, message: error instanceof Error ? error.message : String(error) })
    }
    return { proposals, advice }
  })
  const said = await Promise.all(asked)
  return { proposals: said.flatMap((one) => one.proposals), advice: said.flatMap((one) => one.advice) }
}

/** What plugins say comes after what was found; a card they say no to is not ready. */
function asSaid(gpu: GpuDevice, { proposals, advice }: Said): GpuDevice {
  const quirks = proposals.filter(({ bdf }) => bdf === gpu.bdf).map(({ quirk }) => quirk.name)
  const own = advice.filter(({ bdf }) => bdf === gpu.bdf)
  const { verdict, reasons } = gpu.assessment
  const isUnready = verdict === 'ready' && own.some(({ ready }) => !ready)
  const sentences = own.flatMap(({ plugin, notes }) => notes.map((note) => `${plugin}: ${note}`))
  const assessment = { verdict: isUnready ? ('needs-changes' as const) : verdict, reasons: [...reasons, ...sentences] }
  return { ...gpu, quirks: [...new Set([...gpu.quirks, ...quirks])], assessment }
}
