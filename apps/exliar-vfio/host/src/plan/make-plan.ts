import type { PciDevice, SystemInfo } from '@exliar-vfio/points'
import type { Stage } from '../changes/apply.ts'
import type { Step } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import type { TreeReader } from '../text/config-file.ts'
import { claimOf, type Claim } from '../vfio/claim.ts'
import { editModprobe } from '../vfio/modprobe-config.ts'
import { editOverrideScript } from '../vfio/override-script.ts'
import { selectFunctions, type Selection, type SelectionWish } from '../vfio/select-functions.ts'
import { storageInUse } from '../vfio/storage-in-use.ts'
import { editModuleList, vfioModules } from '../vfio/vfio-modules.ts'
import { bootStage } from './boot-stage.ts'
import { initramfsStage } from './initramfs-stage.ts'
import type { Plan, PlanSubject, Proposal } from './plan.ts'
import { PlanDraft } from './plan-draft.ts'

/** Where the kernel shows that vfio-pci is loaded. */
const vfioDriver = '/sys/bus/pci/drivers/vfio-pci'

/** How a plan is made. */
export interface PlanOptions {
  /** `at-start`: nothing moves before the machine starts again. Default `now`, where the IOMMU is on. */
  readonly bind?: 'now' | 'at-start'
  /** What a person does by hand. */
  readonly leaveOut?: readonly ('initramfs' | 'bootloader')[]
}

/** What a plan is made from. */
export interface PlanRequest {
  readonly tree: TreeReader
  readonly system: SystemInfo
  readonly devices: readonly PciDevice[]
  readonly selection: SelectionWish
  readonly options?: PlanOptions
  /** What plugins propose; each becomes a step of its own with the plugin as its cause. */
  readonly proposals?: readonly Proposal[]
}

/** A request whose functions are known. */
export interface PlanWork extends Required<Omit<PlanRequest, 'tree'>> {
  readonly selected: readonly PciDevice[]
  readonly claim: Claim
}

/**
 * From what is wanted to steps, with the difference of each file. Touches nothing. Errors: `SELECTION_REFUSED` with
 * `details.refusals`; `CONFIG_UNCLEAR`, `CONFIG_MISSING`, `MODPROBE_CONFLICT`, `BOOT_UNSUPPORTED`,
 * `INITRAMFS_UNSUPPORTED`, `BOOT_PARAMETER_UNSAFE`.
 */
export function makePlan(request: PlanRequest): Plan {
  const { system, devices, selection: wish, options = {}, proposals = [] } = request
  const selection = selectFunctions(devices, wish)
  const moving = selection.functions.map(({ device }) => device)
  refuse({ ...selection, refusals: [...selection.refusals, ...storageInUse(request.tree, moving)] }, wish)
  const work = { system, devices, selection: wish, options, proposals, selected: moving, claim: claimOf(devices, moving) }
  const draft = new PlanDraft(request.tree)
  draft.note(...selection.notes)
  const stages: Stage<PlanSubject>[] = [configureStage(draft, work), ...bindStages(draft, work)]
  if (options.leaveOut?.includes('initramfs') !== true) stages.push(initramfsStage(draft, work))
  if (options.leaveOut?.includes('bootloader') !== true) stages.push(bootStage(draft, work))
  const title = `pass ${wish.select.join(' and ')} through`
  return draft.finish({ title, functions: selection.functions, stages, reboot: needsRestart(work, stages) })
}

function refuse({ refusals, functions }: Selection, { select }: SelectionWish): void {
  const reasons = refusals.map(({ reason }) => reason)
  if (functions.length === 0 && reasons.length === 0) reasons.push('nothing was named')
  if (reasons.length === 0) return
  const parameters = { selection: select.join(', '), reason: reasons.join('; ') }
  throw exliarErrors.error('SELECTION_REFUSED', parameters, {
    details: { refusals: refusals.map((refusal) => ({ ...refusal })) },
  })
}

function configureStage(draft: PlanDraft, work: PlanWork): Stage<PlanSubject> {
  const { system, selected, claim, proposals } = work
  const lasting = selected.length > claim.untilRestart.length
  const drivers = selected.flatMap(({ driver }) => (driver === null || driver === 'vfio-pci' ? [] : [driver]))
  for (const device of claim.untilRestart) {
    draft.note(`${device.bdf} is a virtual function: it is bound until the next start only, as it is made anew at each.`)
  }
  const steps: Step[] = [
    ...(lasting
      ? [
          ...draft.write(editOverrideScript(draft.tree, claim.bySlot), 'write the script that sets functions aside by slot'),
          ...draft.write(editModprobe(draft.tree, claim, drivers), 'tell modprobe what VFIO is to take, and to load it first'),
          ...draft.write(editModuleList(draft.tree, vfioModules(system.kernel_version)), 'load VFIO at every start', {
            records: 'module-loaded',
          }),
        ]
      : []),
    ...proposals.flatMap(({ plugin, hook, quirk }) =>
      draft.write(
        editModuleList(draft.tree, quirk.kernel_modules),
        `load ${quirk.kernel_modules.join(', ')} at every start: ${quirk.name}`,
        {
          records: 'module-loaded',
          cause: { plugin, hook },
        },
      ),
    ),
  ]
  if (movingNow(work).length > 0 && !draft.tree.has(vfioDriver)) {
    const load = { program: 'modprobe', args: ['vfio-pci'], generates: [] }
    steps.push(...draft.run([load], 'load vfio-pci now', 'module-loaded'))
  }
  return { subject: { kind: 'configure' }, steps }
}

/** Functions that VFIO has already need nothing. */
function bindStages(draft: PlanDraft, work: PlanWork): readonly Stage<PlanSubject>[] {
  const moving = movingNow(work)
  return work.selected
    .filter(({ driver }) => driver !== 'vfio-pci')
    .map((device) => {
      const now = moving.includes(device)
      const { bdf, driver } = device
      const summary = `take ${bdf} from ${driver ?? 'nobody'} and bind it to vfio-pci`
      const step = { kind: 'bind-device', bdf, driver: 'vfio-pci', cause: null, summary, records: 'driver-bound' } as const
      if (now && driver !== null) draft.note(`${bdf} is driven by ${driver} now: end whatever uses it before you apply.`)
      else if (device.boot_vga)
        draft.note(`${bdf} shows the screen: it stays with ${driver ?? 'nobody'} until the machine starts again.`)
      return { subject: { kind: 'vfio-bind', device, now }, steps: now ? [step] : [] }
    })
}

/** Without an IOMMU the kernel gives nothing to VFIO; the screen in use is taken when nobody looks at it. */
function movingNow({ options, system, selected }: PlanWork): readonly PciDevice[] {
  if (options.bind === 'at-start' || system.iommu.state !== 'on') return []
  return selected.filter((device) => device.driver !== 'vfio-pci' && device.iommu_group !== null && !device.boot_vga)
}

function needsRestart(work: PlanWork, stages: readonly Stage<PlanSubject>[]): boolean {
  const moving = movingNow(work)
  const waiting = work.selected.some((device) => device.driver !== 'vfio-pci' && !moving.includes(device))
  const line = stages.some(({ subject, steps }) => subject.kind === 'bootloader-update' && steps.length > 0)
  return waiting || line || work.system.iommu.state !== 'on'
}
