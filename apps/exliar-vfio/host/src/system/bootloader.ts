import type { Bootloader } from '@exliar-vfio/points'
import { bootPartitions } from '../boot/boot-partitions.ts'
import { liminePaths } from '../boot/limine-files.ts'
import { findProgram } from '../machine/find-program.ts'
import type { MachineTree } from '../machine/machine-tree.ts'
import { efiVariable } from './efi-variable.ts'
import type { Fact } from './fact.ts'

type Found = Fact<Bootloader> | undefined

/**
 * Which bootloader started this machine: what it said itself comes before what the firmware says, and that before what the
 * kernel was told. Only where none of them tells, the files that are installed are believed: several may be left behind.
 */
export function bootloader(tree: MachineTree): Fact<Bootloader> {
  return (
    byStub(tree) ??
    byLoader(tree) ??
    byFirmware(tree) ??
    byCommandLine(tree) ??
    byFiles(tree) ?? { value: 'unknown', evidence: null }
  )
}

/** The line is inside an image that brings its own start. */
function byStub(tree: MachineTree): Found {
  const stub = efiVariable(tree, 'StubInfo', 'loader')
  return stub === undefined ? undefined : { value: 'uki', evidence: stub.path }
}

function byLoader(tree: MachineTree): Found {
  const loader = efiVariable(tree, 'LoaderInfo', 'loader')
  if (loader === undefined) return undefined
  const evidence = loader.path
  if (/^systemd-boot/i.test(loader.text)) return systemdBoot(tree, evidence)
  if (/^systemd-stub/i.test(loader.text)) return { value: 'uki', evidence }
  if (/^grub/i.test(loader.text)) return { value: 'grub', evidence }
  if (/^limine/i.test(loader.text)) return { value: 'limine', evidence }
  return { value: 'other', evidence }
}

/** The entry the firmware took names the program's file. */
function byFirmware(tree: MachineTree): Found {
  const current = efiVariable(tree, 'BootCurrent', 'firmware')
  if (current === undefined || current.bytes.length < 2) return undefined
  const number = current.bytes.readUInt16LE(0).toString(16).toUpperCase().padStart(4, '0')
  const entry = efiVariable(tree, `Boot${number}`, 'firmware')
  if (entry === undefined) return undefined
  const [evidence, file] = [entry.path, entry.bytes.toString('latin1').replaceAll('\0', '').toLowerCase()]
  if (/systemd-boot\w+\.efi/.test(file)) return systemdBoot(tree, evidence)
  if (/limine\w*\.efi/.test(file)) return { value: 'limine', evidence }
  if (/(?:grub|shim)\w*\.efi/.test(file)) return { value: 'grub', evidence }
  if (/\\efi\\linux\\[^\\]+\.efi/.test(file)) return { value: 'uki', evidence }
  return undefined
}

/** GRUB tells the kernel where it read it from. */
function byCommandLine(tree: MachineTree): Found {
  if (!/(?:^|\s)BOOT_IMAGE=/.test(tree.glance('/proc/cmdline') ?? '')) return undefined
  return grubFile(tree) === undefined ? undefined : { value: 'grub', evidence: '/proc/cmdline' }
}

function byFiles(tree: MachineTree): Found {
  const kernelstub = kernelstubFile(tree)
  if (kernelstub !== undefined) return { value: 'kernelstub', evidence: kernelstub }
  const limine = liminePaths.find((path) => tree.has(path))
  if (limine !== undefined) return { value: 'limine', evidence: limine }
  const loader = bootPartitions.map((partition) => `${partition}/loader/loader.conf`).find((path) => tree.has(path))
  if (loader !== undefined) return { value: 'systemd-boot', evidence: loader }
  const grub = grubFile(tree)
  if (grub !== undefined) return { value: 'grub', evidence: grub }
  const image = bootPartitions.flatMap((partition) => {
    const names = tree.names(`${partition}/EFI/Linux`).filter((name) => name.endsWith('.efi'))
    return names.map((name) => `${partition}/EFI/Linux/${name}`)
  })
  return image[0] === undefined ? undefined : { value: 'uki', evidence: image[0] }
}

/** On Pop!_OS another program writes the entries. */
function systemdBoot(tree: MachineTree, evidence: string): Found {
  const kernelstub = kernelstubFile(tree)
  return kernelstub === undefined ? { value: 'systemd-boot', evidence } : { value: 'kernelstub', evidence: kernelstub }
}

function kernelstubFile(tree: MachineTree): string | undefined {
  const path = '/etc/kernelstub/configuration'
  return tree.has(path) && findProgram(tree, 'kernelstub') !== undefined ? path : undefined
}

function grubFile(tree: MachineTree): string | undefined {
  const configuration = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg'].find((path) => tree.has(path))
  return tree.has('/etc/default/grub') ? configuration : undefined
}
