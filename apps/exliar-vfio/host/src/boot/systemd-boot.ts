import { findProgram } from '../machine/find-program.ts'
import type { TreeReader } from '../text/config-file.ts'
import type { BootSetup } from './boot-setup.ts'
import { readCommandLineFile } from './command-line-file.ts'
import { readLoaderEntries, requireLoaderEntries } from './loader-entries.ts'
import { hasUnifiedImages, readUnifiedImage } from './unified-image.ts'

/**
 * systemd-boot. Its entries are read at every start, so nothing must run; where new ones are made from a line kept beside
 * them, that is changed too, or the next kernel would lose the parameters.
 */
export function readSystemdBoot(tree: TreeReader): BootSetup {
  if (readLoaderEntries(tree).length === 0 && hasUnifiedImages(tree)) return readUnifiedImage(tree)
  const entries = requireLoaderEntries(tree)
  const kept = findProgram(tree, 'kernel-install') === undefined ? undefined : readCommandLineFile(tree)
  return { bootloader: 'systemd-boot', lines: kept === undefined ? entries : [...entries, kept], makings: [], notes: [] }
}
