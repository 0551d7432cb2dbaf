import { findProgram } from '../machine/find-program.ts'
import type { Making } from '../changes/step.ts'
import { readDropIns, type TreeReader } from '../text/config-file.ts'
import { plainStretch } from '../text/mapped-text.ts'
import type { BootSetup } from './boot-setup.ts'
import { requireCommandLineFile } from './command-line-file.ts'
import type { KernelLine } from './kernel-line.ts'

const images = ['/boot/EFI/Linux/*.efi', '/efi/EFI/Linux/*.efi', '/boot/efi/EFI/Linux/*.efi']

/** Kernel, initial file system and command line in one image. Source: mkinitcpio(8) "UKI", kernel-install(8), dracut(8). */
export function readUnifiedImage(tree: TreeReader): BootSetup {
  const line = readParts(tree) ?? requireCommandLineFile(tree)
  const making = unifiedImageMaking(tree)
  const notes = making === undefined ? ['No program was found that makes the unified image: make it anew by hand.'] : []
  return { bootloader: 'uki', lines: [line], makings: making === undefined ? [] : [making], notes }
}

/** Whether this machine starts from such images. */
export function hasUnifiedImages(tree: TreeReader): boolean {
  return images.some((pattern) => tree.names(pattern.slice(0, pattern.lastIndexOf('/'))).some((name) => name.endsWith('.efi')))
}

/** mkinitcpio prefers the files of this directory to the one file. */
function readParts(tree: TreeReader): KernelLine | undefined {
  if (findProgram(tree, 'mkinitcpio') === undefined) return undefined
  const parts = readDropIns(tree, '/etc/cmdline.d', '.conf').map((file) => {
    const text = file.text.trimEnd()
    return { file, value: plainStretch(file.text, 0, text.length) }
  })
  const target = parts.at(-1)
  return target === undefined ? undefined : { parts, target }
}

function unifiedImageMaking(tree: TreeReader): Making | undefined {
  const makings: readonly Making[] = [
    { program: 'mkinitcpio', args: ['-P'], generates: images },
    { program: 'dracut', args: ['--force', '--regenerate-all'], generates: images },
    { program: 'kernel-install', args: ['add-all'], generates: images },
  ]
  return makings.find(({ program }) => findProgram(tree, program) !== undefined)
}
