import { z } from 'zod'

/** Which machines are wanted. All members are optional and must all hold; the host applies them again itself. */
export const VmFilter = z.object({
  /** Shell glob on the name. */
  name_pattern: z.string().optional(),
  state: z.string().optional(),
  power_state: z.string().optional(),
  /** Every entry must match. */
  tags: z.record(z.string(), z.string()).optional(),
  location: z.string().optional(),
  min_memory_mb: z.number().nonnegative().optional(),
  min_cpus: z.number().nonnegative().optional(),
})
export type VmFilter = z.output<typeof VmFilter>

/** One virtual machine. Providers may answer their own state words; the host normalises them. */
export const VmInfo = z.object({
  /** The provider's type; the host fills it in. */
  provider: z.string().default(''),
  /** What `getVm` and `exportVm` take. */
  id: z.string().min(1),
  name: z.string(),
  /** `running`, `stopped`, `suspended` or `unknown` after the host has normalised it. */
  state: z.string().default('unknown'),
  location: z.string().default(''),
  /** The provider's own word for its power state. */
  power_state: z.string().default(''),
  guest_os: z.string().default(''),
  memory_mb: z.number().nonnegative().default(0),
  num_cpus: z.number().nonnegative().default(0),
  storage_gb: z.number().nonnegative().default(0),
  ip_addresses: z.array(z.string()).default([]),
  tags: z.record(z.string(), z.string()).default({}),
  metadata: z.record(z.string(), z.unknown()).default({}),
  /** RFC 3339, or null when unknown. */
  created_at: z.string().nullable().default(null),
  updated_at: z.string().nullable().default(null),
})
export type VmInfo = z.output<typeof VmInfo>

/** Names a machine in the provider's own form: inventory path, `node:vmid`, `namespace/name`, instance id. */
export const VmReference = z.object({ id: z.string().min(1) })

/** Free text; a provider searches what it can, the host ranks. */
export const VmQuery = z.object({ query: z.string() })

/** A snapshot of one machine. */
export const Snapshot = z.object({
  id: z.string().min(1),
  name: z.string(),
  created_at: z.string().nullable().default(null),
  size_gb: z.number().nonnegative().default(0),
  metadata: z.record(z.string(), z.unknown()).default({}),
})
export type Snapshot = z.output<typeof Snapshot>
