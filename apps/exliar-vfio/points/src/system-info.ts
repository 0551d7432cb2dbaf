import { z } from 'zod'

/** Which program puts the kernel's command line together. `kernelstub` is Pop!_OS's; `uki`: the line is baked into a signed image. */
export const Bootloader = z.enum(['grub', 'systemd-boot', 'kernelstub', 'limine', 'uki', 'other', 'unknown'])
export type Bootloader = z.output<typeof Bootloader>

/** Which program makes the initial file system. `initramfs-tools` is Debian's. */
export const InitramfsSystem = z.enum(['mkinitcpio', 'dracut', 'initramfs-tools', 'booster', 'other', 'unknown'])
export type InitramfsSystem = z.output<typeof InitramfsSystem>

/** Version of the kernel that runs, or of the newest installed one where none runs. */
export const KernelVersion = z.object({
  major: z.int().nonnegative(),
  minor: z.int().nonnegative(),
  patch: z.int().nonnegative().nullable(),
  /** As the kernel says it: `6.12.9-arch1-1`. */
  full_version: z.string(),
})
export type KernelVersion = z.output<typeof KernelVersion>

/** From `os-release`. */
export const Distribution = z.object({
  name: z.string(),
  version: z.string(),
  id: z.string(),
  family: z.enum(['arch', 'debian', 'fedora', 'suse', 'gentoo', 'other']),
})
export type Distribution = z.output<typeof Distribution>

/** Whether devices can be separated from each other. */
export const IommuState = z.object({
  /** `on`: groups are there; `off`: the processor can and nobody asked for it; `absent`: the processor or firmware cannot. */
  state: z.enum(['on', 'off', 'absent', 'unknown']),
  /** Number of groups. */
  groups: z.int().nonnegative(),
  /** Why, in a sentence. */
  reason: z.string(),
})
export type IommuState = z.output<typeof IommuState>

/** What a machine is, as far as passing a device through goes. Source: seed 004, `SystemInfo`. */
export const SystemInfo = z.object({
  bootloader: Bootloader,
  kernel_version: KernelVersion.nullable(),
  /** Parameters of the running kernel, in their order, duplicates kept. */
  kernel_parameters: z.array(z.string()),
  cpu_vendor: z.enum(['amd', 'intel', 'other']),
  cpu_model: z.string(),
  /** The processor's virtualisation extension is there and not switched off. */
  virtualization_enabled: z.boolean(),
  iommu: IommuState,
  init_system: z.enum(['systemd', 'openrc', 'sysvinit', 'other', 'unknown']),
  initramfs_system: InitramfsSystem,
  /** Null: the firmware does not say. */
  secure_boot_enabled: z.boolean().nullable(),
  distribution: Distribution.nullable(),
})
export type SystemInfo = z.output<typeof SystemInfo>

/** A change of the kernel's command line that is about to be written, or was. Source: seed 004, `BootloaderConfig`. */
export const BootloaderConfig = z.object({
  bootloader: Bootloader,
  /** Files that hold the line, absolute as the machine itself names them. */
  files: z.array(z.string()),
  /** The line before, token by token; of the first file where they differ. */
  parameters: z.array(z.string()),
  add: z.array(z.string()),
  remove: z.array(z.string()),
})
export type BootloaderConfig = z.output<typeof BootloaderConfig>

/** A change of the initial file system that is about to be made, or was. */
export const InitramfsConfig = z.object({
  system: InitramfsSystem,
  /** Configuration files that change, absolute as the machine itself names them. */
  files: z.array(z.string()),
  /** Modules that are loaded early, in order. */
  modules: z.array(z.string()),
  /** The command that makes it: program, then arguments. Empty when there is none on this machine. */
  command: z.array(z.string()),
})
export type InitramfsConfig = z.output<typeof InitramfsConfig>
