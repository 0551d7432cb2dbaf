import type { BootloaderConfig } from '@exliar-vfio/points'
import { editBootSetup } from '../boot/edit-boot-setup.ts'
import { contradicts } from '../boot/parameter-meaning.ts'
import { parametersOf } from '../boot/kernel-line.ts'
import { readBootSetup } from '../boot/read-boot-setup.ts'
import { wantedParameters } from '../boot/wanted-parameters.ts'
import type { Stage } from '../changes/apply.ts'
import type { Cause, Step } from '../changes/step.ts'
import type { PlanWork } from './make-plan.ts'
import type { PlanSubject } from './plan.ts'
import type { PlanDraft } from './plan-draft.ts'

interface Wish {
  readonly parameters: readonly string[]
  readonly summary: string
  readonly cause?: Cause
}

/** The kernel's command line: what the host wants first, then what each plugin proposes, each as a step of its own. */
export function bootStage(draft: PlanDraft, { system, proposals }: PlanWork): Stage<PlanSubject> {
  const { bootloader } = system
  const wanted = wantedParameters(system)
  const wishes: Wish[] = [{ parameters: wanted, summary: 'let devices be separated from each other' }]
  for (const { plugin, hook, quirk } of proposals) {
    const against = quirk.kernel_parameters.filter((parameter) => wanted.some((needed) => contradicts(parameter, needed)))
    // Without what the host itself needs nothing of the plan would work.
    for (const parameter of against)
      draft.note(`${plugin} proposes ${parameter}, which says the opposite of what VFIO needs: left out.`)
    const parameters = quirk.kernel_parameters.filter((parameter) => !against.includes(parameter))
    wishes.push({ parameters, summary: quirk.name, cause: { plugin, hook } })
  }
  const setup = readBootSetup(draft.tree, bootloader)
  const parameters = setup.lines[0] === undefined ? [] : [...parametersOf(setup.lines[0])]
  const steps: Step[] = []
  const [add, remove, files] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const { parameters: wished, summary, cause } of wishes.filter((wish) => wish.parameters.length > 0)) {
    const edit = editBootSetup(readBootSetup(draft.tree, bootloader), { add: wished, remove: [] })
    for (const parameter of [...edit.added, ...edit.replaced.map(({ to }) => to)]) add.add(parameter)
    for (const { from, to } of edit.replaced) {
      remove.add(from)
      draft.note(`The kernel was started with ${from}; it gives way to ${to}.`)
    }
    for (const { path } of edit.files) files.add(path)
    const marks = cause === undefined ? {} : { cause }
    steps.push(
      ...draft.write(edit.files, `start the kernel with ${wished.join(' ')}: ${summary}`, {
        ...marks,
        records: 'kernel-param-added',
      }),
    )
  }
  if (steps.length > 0) {
    draft.note(...setup.notes)
    steps.push(...draft.run(setup.makings, "bring the bootloader's own files up to date"))
  }
  const config: BootloaderConfig = { bootloader, files: [...files], parameters, add: [...add], remove: [...remove] }
  return { subject: { kind: 'bootloader-update', config }, steps }
}
