import type { Bootloader, InitramfsConfig } from '@exliar-vfio/points'
import { limineAfterImages } from '../boot/limine.ts'
import { unifiedAfterImages } from '../boot/unified-image.ts'
import type { Stage } from '../changes/apply.ts'
import type { Making } from '../changes/step.ts'
import { editInitramfs } from '../initramfs/edit-initramfs.ts'
import { overrideScriptPath } from '../vfio/override-script.ts'
import { vfioModules } from '../vfio/vfio-modules.ts'
import type { PlanWork } from './make-plan.ts'
import type { PlanSubject } from './plan.ts'
import type { PlanDraft } from './plan-draft.ts'

/** VFIO into the initial file system, before the drivers of graphics adapters; made anew also when only modprobe's part changed. */
export function initramfsStage(draft: PlanDraft, { system, selected, claim }: PlanWork): Stage<PlanSubject> {
  const lasting = selected.length > claim.untilRestart.length
  const none: InitramfsConfig = { system: system.initramfs_system, files: [], modules: [], command: [] }
  if (!lasting) return { subject: { kind: 'initramfs-update', config: none }, steps: [] }
  const isInside = draft.hasChanged('/etc/modprobe.d/') || draft.hasChanged(overrideScriptPath)
  const files = claim.bySlot.length > 0 ? [overrideScriptPath] : []
  const edit = editInitramfs(draft.tree, system.initramfs_system, { modules: vfioModules(system.kernel_version), files })
  const changes = edit.files.length > 0 || isInside
  if (changes) draft.note(...edit.notes)
  const after = changes ? afterImages(draft, system.bootloader, edit.makings) : []
  const [making] = edit.makings
  const config: InitramfsConfig = {
    system: system.initramfs_system,
    files: edit.files.map(({ path }) => path),
    modules: [...edit.modules],
    command: making === undefined ? [] : [making.program, ...making.args],
  }
  const steps = changes
    ? [
        ...draft.write(edit.files, 'load VFIO before the drivers of graphics adapters'),
        ...draft.run(edit.makings.map(followedBy(after)), 'make the initial file system anew'),
        ...draft.run(after, 'bring the image to where the bootloader reads it'),
      ]
    : []
  return { subject: { kind: 'initramfs-update', config }, steps }
}

function followedBy(followers: readonly Making[]): (making: Making) => Making {
  return ({ program, args, generates }) =>
    followers.length === 0 ? { program, args, generates } : { program, args, generates, followers }
}

/** Where the bootloader reads something that is made of the image. */
function afterImages({ tree }: PlanDraft, bootloader: Bootloader, makings: readonly Making[]): readonly Making[] {
  if (bootloader === 'limine') return limineAfterImages(tree)
  return bootloader === 'uki' ? unifiedAfterImages(tree, makings) : []
}
