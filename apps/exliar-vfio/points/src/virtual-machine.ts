import { z } from 'zod'
import { Bdf } from './devices.ts'

/** A host device that a machine is given. */
export const VmDevice = z.object({
  bdf: Bdf,
  vendor_id: z.string(),
  device_id: z.string(),
  is_gpu: z.boolean(),
  /** libvirt binds and gives back the driver itself. */
  managed: z.boolean(),
  /** Whether the option ROM is shown to the guest; null: as the hypervisor does by itself. */
  rom_bar: z.boolean().nullable(),
  /** File the option ROM is read from. */
  rom_file: z.string().nullable(),
})
export type VmDevice = z.output<typeof VmDevice>

/**
 * A machine's configuration, as far as plugins may read and change it; the host writes what changed back into the
 * hypervisor's own form and leaves everything else as it is. Source: seed 004, `VmConfig`.
 */
export const VmConfig = z.object({
  name: z.string(),
  uuid: z.string(),
  hypervisor: z.string(),
  /** MiB. */
  memory_mib: z.int().nonnegative(),
  vcpus: z.int().nonnegative(),
  machine: z.string(),
  devices: z.array(VmDevice),
  features: z.object({
    /** KVM's signature is hidden from the guest. */
    kvm_hidden: z.boolean(),
    /** The CPU flag that tells a guest it is one; false: the flag is taken away. */
    hypervisor_hidden: z.boolean(),
    /** At most 12 characters; null: none is set. */
    hyperv_vendor_id: z.string().min(1).max(12).nullable(),
  }),
  /** Arguments handed to the hypervisor's program as they are, in order. */
  extra_arguments: z.array(z.string()),
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
  /** RFC 3339. */
  started_at: z.string(),
  ended_at: z.string(),
  runtime_seconds: z.number().nonnegative(),
  /** `shutdown`: the guest did · `destroyed`: somebody pulled the plug · `crashed` · `failed`: it never ran. */
  ended_by: z.enum(['shutdown', 'destroyed', 'crashed', 'migrated', 'failed', 'unknown']),
  devices: z.array(VmDevice),
})
export type VmStats = z.output<typeof VmStats>
