import type { Bootloader } from '@exliar-vfio/points'
import { editBootSetup } from '../boot/edit-boot-setup.ts'
import type { LineChange } from '../boot/kernel-line.ts'
import { readBootSetup } from '../boot/read-boot-setup.ts'
import type { Cause, Step } from '../changes/step.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { PlanDraft } from '../plan/plan-draft.ts'

/** Steps that change the kernel's command line for a plugin; none where it is so already. Errors: as `readBootSetup`. */
export function bootChange(tree: MachineTree, bootloader: Bootloader, change: LineChange, cause: Cause): readonly Step[] {
  const draft = new PlanDraft(tree)
  const setup = readBootSetup(draft.tree, bootloader)
  const { files } = editBootSetup(setup, change)
  if (files.length === 0) return []
  const words = [
    ...(change.add.length === 0 ? [] : [`with ${change.add.join(' ')}`]),
    ...(change.remove.length === 0 ? [] : [`without ${change.remove.join(' ')}`]),
  ]
  const records = change.add.length === 0 ? 'kernel-param-removed' : 'kernel-param-added'
  return [
    ...draft.write(files, `start the kernel ${words.join(' and ')} for ${cause.plugin}`, { cause, records }),
    ...draft.run(setup.makings, "bring the bootloader's own files up to date"),
  ]
}
