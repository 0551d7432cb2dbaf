import { z } from 'zod'
import { Bdf } from './devices.ts'

/** A host device that a machine is given. A handler that adds one needs to say only `bdf` and how it is given. */
export const VmDevice = z.object({
  bdf: Bdf,
  /** Empty where this machine has no such device. */
  vendor_id: z.string().default(''),
  device_id: z.string().default(''),
  is_gpu: z.boolean().default(false),
  /** libvirt binds and gives back the driver itself. */
  managed: z.boolean().default(true),
  /** Whether the option ROM is shown to the guest; null: as the hypervisor does by itself. */
  rom_bar: z.boolean().nullable().default(null),
  /** File the option ROM is read from; absolute. */
  rom_file: z.string().regex(/^\//, 'is no absolute path').nullable().default(null),
})
export type VmDevice = z.output<typeof VmDevice>

/**
 * A machine's configuration, as far as plugins may read and change it; the host writes what changed back into the
 * hypervisor's own form and leaves everything else as it is. What may be changed: `devices`, `features` and
 * `extra_arguments`; another value anywhere else is `VM_CHANGE_REFUSED` and stops the start. Source: seed 004, `VmConfig`.
 */
export const VmConfig = z.object({
  name: z.string(),
  uuid: z.string(),
  hypervisor: z.string(),
  /** MiB. */
  memory_mib: z.int().nonnegative(),
  vcpus: z.int().nonnegative(),
  machine: z.string(),
  devices: z.array(VmDevice).max(256),
  features: z.object({
    /** KVM's signature is hidden from the guest. */
    kvm_hidden: z.boolean(),
    /** The CPU flag that tells a guest it is one is taken away. */
    hypervisor_hidden: z.boolean(),
    /** 1 to 12 printable ASCII characters without comma; null: none is set. */
    hyperv_vendor_id: z
      .string()
      .regex(/^[ -+\--~]{1,12}$/, 'is no vendor id of 1 to 12 printable characters without comma')
      .nullable(),
  }),
  /** Arguments handed to the hypervisor's program as they are, in order. */
  extra_arguments: z.array(z.string().max(10_000)).max(1_000),
})
export type VmConfig = z.output<typeof VmConfig>

/** A configuration in which KVM's signature is hidden, or not. */
export function withKvmHidden(config: VmConfig, hidden = true): VmConfig {
  return { ...config, features: { ...config.features, kvm_hidden: hidden } }
}

/** A configuration in which the guest is not told that it is one, or is. */
export function withHypervisorHidden(config: VmConfig, hidden = true): VmConfig {
  return { ...config, features: { ...config.features, hypervisor_hidden: hidden } }
}

/** A configuration with a vendor id for Hyper-V's interface: 1 to 12 characters, null takes it away. */
export function withVendorId(config: VmConfig, vendorId: string | null): VmConfig {
  return { ...config, features: { ...config.features, hyperv_vendor_id: vendorId } }
}

/** How a run of a machine went. Source: seed 004, `VmStats`. */
export const VmStats = z.object({
  name: z.string(),
  uuid: z.string(),
  /** RFC 3339; null where nobody saw it start: it ran already when the hooks were put in place. */
  started_at: z.string().nullable(),
  ended_at: z.string(),
  /** Null where `started_at` is; 0 where it never ran. */
  runtime_seconds: z.number().nonnegative().nullable(),
  /**
   * `shutdown`: the guest did · `destroyed`: somebody pulled the plug · `crashed` · `migrated`: it runs on elsewhere ·
   * `saved`: its memory was written to a file · `failed`: it never ran.
   */
  ended_by: z.enum(['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'unknown']),
  devices: z.array(VmDevice),
})
export type VmStats = z.output<typeof VmStats>
