import { z } from 'zod'

/**
 * Address of one function of a device: `domain:bus:device.function`, lower-case hexadecimal. A domain has four digits or
 * more.
 */
export const Bdf = z.string().regex(/^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/, 'is no PCI address such as 0000:01:00.0')
export type Bdf = z.output<typeof Bdf>

/** Four hexadecimal digits, lower case. */
const HexId = z.string().regex(/^[\da-f]{4}$/, 'is no id of four hexadecimal digits')

/** One function of a PCI device. Source: seed 004, `PciDevice`; what it leaves out is needed to tell functions apart. */
export const PciDevice = z.object({
  bdf: Bdf,
  /** The address without the function: functions of one card share it. */
  slot: z.string(),
  vendor_id: HexId,
  device_id: HexId,
  subsystem_vendor_id: HexId.nullable(),
  subsystem_device_id: HexId.nullable(),
  /** Class, subclass and programming interface: six hexadecimal digits, `030000` for a VGA controller. */
  class_code: z.string().regex(/^[\da-f]{6}$/, 'is no class of six hexadecimal digits'),
  /** The class in words. */
  class: z.string(),
  /** From the PCI id list, or the id where that does not know it. */
  vendor_name: z.string(),
  device_name: z.string(),
  /** What drives it now. */
  driver: z.string().nullable(),
  /** What must drive it, where somebody said so. */
  driver_override: z.string().nullable(),
  /** Devices of one group see each other's memory: they go to one guest together or not at all. */
  iommu_group: z.int().nonnegative().nullable(),
  /** The firmware put its first picture on it. */
  boot_vga: z.boolean(),
  /** Reset methods the kernel offers, best first. */
  reset_methods: z.array(z.string()),
  /** For a virtual function: its physical one. */
  physical_function: Bdf.nullable(),
  /** For a physical function: its virtual ones. */
  virtual_functions: z.array(Bdf),
  /** Absolute, as the machine itself names it. */
  sysfs_path: z.string(),
})
export type PciDevice = z.output<typeof PciDevice>

/** Who made a GPU. */
export const GpuVendor = z.enum(['amd', 'nvidia', 'intel', 'other'])
export type GpuVendor = z.output<typeof GpuVendor>

/** What a model can do and what ails it. Source: seed 004. */
export const GpuCapabilities = z.object({
  supports_reset: z.boolean(),
  /** Its group holds devices of others, so that only a patched kernel would part them. */
  requires_acs_override: z.boolean(),
  supports_fbc: z.boolean(),
  supports_gvt: z.boolean(),
  has_reset_bug: z.boolean(),
  needs_code_43_workaround: z.boolean(),
  supports_vbios_loading: z.boolean(),
})
export type GpuCapabilities = z.output<typeof GpuCapabilities>

/** Whether a GPU can be passed through. */
export const GpuVerdict = z.object({
  /** `ready`: as it stands · `needs-changes`: after the plan is applied · `risky`: it may, at the price named · `no`: it cannot. */
  verdict: z.enum(['ready', 'needs-changes', 'risky', 'no']),
  /** Sentences; the first is the one that decided. */
  reasons: z.array(z.string()).min(1),
})
export type GpuVerdict = z.output<typeof GpuVerdict>

/** A graphics adapter. Source: seed 004, `GpuDevice`. */
export const GpuDevice = z.object({
  bdf: Bdf,
  slot: z.string(),
  vendor_id: HexId,
  device_id: HexId,
  vendor: GpuVendor,
  model_name: z.string(),
  family: z.string().nullable(),
  architecture: z.string().nullable(),
  is_integrated: z.boolean(),
  boot_vga: z.boolean(),
  /** MB; null when it cannot be told. */
  vram_size: z.int().nonnegative().nullable(),
  driver: z.string().nullable(),
  iommu_group: z.int().nonnegative().nullable(),
  /**
   * Other functions of the same card: its sound, USB and serial parts, also where they are in another group. Not a
   * processor's own functions beside its graphics.
   */
  functions: z.array(Bdf),
  /** Devices of other cards in the groups of it and its functions, bridges left out. */
  foreign: z.array(Bdf),
  capabilities: GpuCapabilities,
  /** Names from the model database and from plugins. */
  quirks: z.array(z.string()),
  assessment: GpuVerdict,
})
export type GpuDevice = z.output<typeof GpuDevice>
