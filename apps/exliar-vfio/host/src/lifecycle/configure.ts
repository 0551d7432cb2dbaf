import {
  gpuHandler,
  postBootloaderUpdate,
  postInitramfsUpdate,
  postVfioBind,
  preBootloaderUpdate,
  preInitramfsUpdate,
  preVfioBind,
  type PciDevice,
} from '@exliar-vfio/points'
import type { Kernel } from '@backplane/kernel'
import { apply, type Applied, type Application, type Gate } from '../changes/apply.ts'
import type { Changes } from '../changes/open-changes.ts'
import { readDevices } from '../devices/read-devices.ts'
import { exliarErrors } from '../errors.ts'
import { checkPlan } from '../plan/check-plan.ts'
import type { Plan, PlanSubject } from '../plan/plan.ts'
import type { Hooks } from '../plugins/hook-run.ts'
import type { Detection } from './detect.ts'
import { unlessMissing } from './unless-missing.ts'

/** What the configuration phase works with. */
export interface Configuring {
  readonly changes: Changes
  readonly hooks: Pick<Hooks, 'run'>
  readonly kernel: Pick<Kernel, 'contributions' | 'provider'>
  /** Aborted, the step that runs is finished, and everything is taken back. */
  readonly signal: AbortSignal
  readonly onStep?: Application<PlanSubject>['onStep']
}

/**
 * The configuration phase: VFIO, the initial file system, the bootloader; plugins are asked before each and told after it. What
 * a plugin refuses, or fails at when asked, stops it, and everything is taken back at once. Errors: `PLAN_STALE`,
 * `CHANGES_UNFINISHED`, `CARD_NOT_READY` before anything is done. Source: seed 004, "Plugin Lifecycle Example", 4.
 */
export async function configure(plan: Plan, detection: Detection, parts: Configuring): Promise<Applied> {
  await askHandlers(plan, detection, parts)
  const { changes, signal, onStep } = parts
  return apply(changes, {
    title: plan.title,
    stages: plan.stages,
    gate: gateOf(parts),
    check: () => checkPlan(changes.ground.tree, plan),
    signal,
    onStep,
  })
}

/** Each card of the plan is shown to who knows its maker. */
async function askHandlers(plan: Plan, { gpus, system }: Detection, { kernel, signal }: Configuring): Promise<void> {
  const moving = new Set(plan.functions.map(({ device }) => device.bdf))
  for (const gpu of gpus.filter(({ bdf }) => moving.has(bdf))) {
    for (const { plugin, name, available } of kernel.contributions(gpuHandler)) {
      if (!available) continue
      const handler = kernel.provider(gpuHandler, name)
      const asked = { gpu, system }
      if (!(await handler.supportsDevice(asked, { signal }))) continue
      const { ready, notes } = await handler.prepareForPassthrough(asked, { signal }).catch(unlessMissing)
      if (!ready) throw exliarErrors.error('CARD_NOT_READY', { bdf: gpu.bdf, plugin, notes: notes.join(' ') }, { plugin })
    }
  }
}

function gateOf({ hooks, changes, signal }: Configuring): Gate<PlanSubject> {
  const ask = { before: before(hooks, signal), after: after(hooks, changes, signal) }
  return async (when, subject) => {
    // A refusal is an error that names its plugin already.
    await ask[when](subject)
    return undefined
  }
}

type Asking = (subject: PlanSubject) => Promise<unknown>

function before(hooks: Configuring['hooks'], signal: AbortSignal): Asking {
  return async (subject) => {
    switch (subject.kind) {
      case 'configure':
        return undefined
      case 'vfio-bind':
        return hooks.run(preVfioBind, subject.device, subject.device.bdf, signal)
      case 'initramfs-update':
        return hooks.run(preInitramfsUpdate, subject.config, null, signal)
      case 'bootloader-update':
        return hooks.run(preBootloaderUpdate, subject.config, null, signal)
    }
  }
}

function after(hooks: Configuring['hooks'], { ground }: Changes, signal: AbortSignal): Asking {
  return async (subject) => {
    switch (subject.kind) {
      case 'configure':
        return undefined
      case 'vfio-bind': {
        // One that waits for the next start is not bound yet.
        if (!subject.now) return undefined
        const device: PciDevice = readDevices(ground.tree).find(({ bdf }) => bdf === subject.device.bdf) ?? subject.device
        return hooks.run(postVfioBind, device, device.bdf, signal)
      }
      case 'initramfs-update':
        return hooks.run(postInitramfsUpdate, subject.config, null, signal)
      case 'bootloader-update':
        return hooks.run(postBootloaderUpdate, subject.config, null, signal)
    }
  }
}
