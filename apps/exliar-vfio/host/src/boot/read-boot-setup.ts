import type { Bootloader } from '@exliar-vfio/points'
import { exliarErrors } from '../errors.ts'
import type { TreeReader } from '../text/config-file.ts'
import type { BootSetup, ReadBootSetup } from './boot-setup.ts'
import { readGrub } from './grub.ts'
import { readKernelstub } from './kernelstub.ts'
import { readLimine } from './limine.ts'
import { readSystemdBoot } from './systemd-boot.ts'
import { readUnifiedImage } from './unified-image.ts'

const readers: Readonly<Partial<Record<Bootloader, ReadBootSetup>>> = {
  grub: readGrub,
  'systemd-boot': readSystemdBoot,
  kernelstub: readKernelstub,
  limine: readLimine,
  uki: readUnifiedImage,
}

/** Reads the command lines of a bootloader. Errors: `BOOT_UNSUPPORTED`, `CONFIG_UNCLEAR`, `CONFIG_MISSING`. */
export function readBootSetup(tree: TreeReader, bootloader: Bootloader): BootSetup {
  const read = readers[bootloader]
  if (read === undefined) throw exliarErrors.error('BOOT_UNSUPPORTED', { bootloader })
  return read(tree)
}
