import type { Bootloader } from '@exliar-vfio/points'
import type { Making } from '../changes/step.ts'
import type { TreeReader } from '../text/config-file.ts'
import type { KernelLine } from './kernel-line.ts'

/** How a machine's bootloader comes to its kernel command lines. */
export interface BootSetup {
  readonly bootloader: Bootloader
  /** One for each entry; all are changed alike. */
  readonly lines: readonly KernelLine[]
  /** What must run for a change to have an effect, in order. */
  readonly makings: readonly Making[]
  /** What a person should know. */
  readonly notes: readonly string[]
}

/** Reads one bootloader's configuration. Errors: `CONFIG_UNCLEAR`, `CONFIG_MISSING`, those of reading files. */
export type ReadBootSetup = (tree: TreeReader) => BootSetup
