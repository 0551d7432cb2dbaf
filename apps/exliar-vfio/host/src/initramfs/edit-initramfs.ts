import type { InitramfsSystem } from '@exliar-vfio/points'
import type { Making } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import type { FileEdit, TreeReader } from '../text/config-file.ts'
import { editBooster } from './booster.ts'
import { editDracut } from './dracut.ts'
import { editInitramfsTools } from './initramfs-tools.ts'
import { editMkinitcpio } from './mkinitcpio.ts'

/** What the initial file system should have. */
export interface EarlyNeeds {
  /** Modules to load before any driver of a graphics adapter, in order. */
  readonly modules: readonly string[]
  /** Files to bring into it, absolute. */
  readonly files: readonly string[]
}

/** How a machine's initial file system comes to have it. */
export interface InitramfsEdit {
  /** Only files that change. */
  readonly files: readonly FileEdit[]
  /** All modules loaded early afterwards, in order, as far as the configuration says. */
  readonly modules: readonly string[]
  /** What makes the images anew, in order. */
  readonly makings: readonly Making[]
  readonly notes: readonly string[]
}

/** Edits one system's configuration. Errors: `CONFIG_UNCLEAR`, `CONFIG_MISSING`, those of reading files. */
export type EditInitramfs = (tree: TreeReader, needs: EarlyNeeds) => InitramfsEdit

const editors: Readonly<Partial<Record<InitramfsSystem, EditInitramfs>>> = {
  mkinitcpio: editMkinitcpio,
  dracut: editDracut,
  'initramfs-tools': editInitramfsTools,
  booster: editBooster,
}

/** Edits the configuration of a system. Errors: `INITRAMFS_UNSUPPORTED`, and those of the system's own editor. */
export function editInitramfs(tree: TreeReader, system: InitramfsSystem, needs: EarlyNeeds): InitramfsEdit {
  const edit = editors[system]
  if (edit === undefined) throw exliarErrors.error('INITRAMFS_UNSUPPORTED', { system })
  return edit(tree, needs)
}
