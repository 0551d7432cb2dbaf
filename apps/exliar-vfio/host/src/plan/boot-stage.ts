import type { BootloaderConfig } from '@exliar-vfio/points'
import { editBootSetup, type BootEdit } from '../boot/edit-boot-setup.ts'
import { parametersOf } from '../boot/kernel-line.ts'
import { contradicts, sameParameter } from '../boot/parameter-meaning.ts'
import { readBootSetup } from '../boot/read-boot-setup.ts'
import { unwantedParameters, wantedParameters } from '../boot/wanted-parameters.ts'
import type { Stage } from '../changes/apply.ts'
import type { Cause, Step } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { idOf } from '../vfio/claim.ts'
import { isVfioBuiltIn } from '../vfio/vfio-modules.ts'
import type { PlanWork } from './make-plan.ts'
import type { PlanSubject } from './plan.ts'
import type { PlanDraft } from './plan-draft.ts'

interface Wish {
  readonly add: readonly string[]
  readonly remove: readonly string[]
  readonly summary: string
  readonly cause?: Cause
}

/** The kernel's command line: what the host wants first, then what each plugin proposes, each as a step of its own. */
export function bootStage(draft: PlanDraft, work: PlanWork): Stage<PlanSubject> {
  const { bootloader } = work.system
  const setup = readBootSetup(draft.tree, bootloader)
  const lines = setup.lines.map(parametersOf)
  const ids = idsOnLine(draft, lines, work)
  const steps: Step[] = []
  const edits: BootEdit[] = []
  for (const { add, remove, summary, cause } of wishesOf(draft, work, ids)) {
    const edit = editBootSetup(readBootSetup(draft.tree, bootloader), { add, remove })
    edits.push(edit)
    const records = 'kernel-param-added'
    steps.push(...draft.write(edit.files, summary, cause === undefined ? { records } : { cause, records }))
  }
  if (steps.length > 0) {
    draft.note(...setup.notes)
    steps.push(...draft.run(setup.makings, "bring the bootloader's own files up to date"))
  }
  const config = configOf(edits)
  for (const parameter of config.remove) draft.note(`The kernel was started with ${parameter}, which gives way.`)
  return { subject: { kind: 'bootloader-update', config: { bootloader, parameters: [...(lines[0] ?? [])], ...config } }, steps }
}

function wishesOf(draft: PlanDraft, work: PlanWork, ids: readonly string[]): readonly Wish[] {
  const { system, proposals, selected, claim } = work
  // The initial file system gets VFIO only for what lasts.
  const lasting = selected.length > claim.untilRestart.length
  const wanted = wantedParameters(system).filter((parameter) => lasting || !sameParameter(parameter, 'rd.driver.pre'))
  const [add, remove] = [[...wanted, ...ids], unwantedParameters(system)]
  const summary = `start the kernel with ${add.join(' ')}, so that devices are separated from each other`
  const wishes: Wish[] = [{ add, remove, summary }]
  for (const { plugin, hook, quirk } of proposals) {
    // Without what the host itself needs nothing of the plan would work.
    const isAgainst = (parameter: string): boolean =>
      remove.includes(parameter) || add.some((needed) => contradicts(parameter, needed))
    const proposed = quirk.kernel_parameters.filter((parameter) => !isAgainst(parameter))
    for (const parameter of quirk.kernel_parameters.filter(isAgainst)) {
      draft.note(`${plugin} proposes ${parameter}, which says the opposite of what VFIO needs: left out.`)
    }
    const why = `start the kernel with ${proposed.join(' ')}: ${quirk.name}`
    if (proposed.length > 0) wishes.push({ add: proposed, remove: [], summary: why, cause: { plugin, hook } })
  }
  return wishes
}

function configOf(edits: readonly BootEdit[]): Pick<BootloaderConfig, 'files' | 'add' | 'remove'> {
  return {
    files: unique(edits.flatMap(({ files }) => files.map(({ path }) => path))),
    add: unique(edits.flatMap(({ added, replaced }) => [...added, ...replaced.map(({ to }) => to)])),
    remove: unique(edits.flatMap(({ removed, replaced }) => [...removed, ...replaced.map(({ from }) => from)])),
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}

/**
 * Ids on the line take every device that has them, also the one that is not selected; and they count in place of those that
 * modprobe's files name, so that what is missing has to be added there, too.
 */
function idsOnLine(draft: PlanDraft, lines: readonly (readonly string[])[], work: PlanWork): readonly string[] {
  const { claim, selection, system } = work
  const [taking, ...others] = new Set(lines.map((line) => line.findLast((parameter) => sameParameter(parameter, 'vfio-pci.ids'))))
  const refuse = (named: string | undefined, why: string): Error => {
    const reason = `the kernel is started with ${named ?? 'vfio-pci.ids'}, ${why}; take it out first`
    return exliarErrors.error('SELECTION_REFUSED', { selection: selection.select.join(', '), reason })
  }
  for (const named of [taking, ...others]) {
    const isTaken = claim.bySlot.map(idOf).some((id) => named?.toLowerCase().includes(id) === true)
    if (isTaken) throw refuse(named, 'which takes every device of that id')
  }
  const named = [taking, ...others].find((parameter) => parameter !== undefined)
  const missing = claim.ids.filter((id) => named?.toLowerCase().includes(id) === false)
  if (named === undefined) return isVfioBuiltIn(draft.tree, system.kernel_version) ? builtInIds(draft, work) : []
  if (missing.length === 0) return []
  if (others.length > 0) throw refuse(named, 'in some entries only')
  return [`${named},${missing.join(',')}`]
}

/** The kernel's own vfio-pci takes ids from the line alone, and nothing by slot. */
function builtInIds(draft: PlanDraft, { claim }: PlanWork): readonly string[] {
  for (const { bdf } of claim.bySlot) {
    draft.note(
      `vfio-pci is a part of this kernel, so that nothing is set aside by slot before drivers load: bind ${bdf} again after each start.`,
    )
  }
  return claim.ids.length === 0 ? [] : [`vfio-pci.ids=${claim.ids.join(',')}`]
}
