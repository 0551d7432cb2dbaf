import { z } from 'zod'

/**
 * How one provider instance is reached and with which credentials; the argument `open` is given. Everything that only
 * one provider knows goes into `metadata` (`token`, `api_key`, project ids).
 */
export const ProviderConfig = z.object({
  /** Filled in by the host with the provider's type. */
  type: z.string().default(''),
  /** API URL; or `host` and `port`. */
  endpoint: z.string().optional(),
  host: z.string().optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  /** AWS region, Azure location, GCP zone, Proxmox node. */
  region: z.string().optional(),
  /** Skips verification of the server's certificate. */
  insecure: z.boolean().default(false),
  /** Longest one request to the provider's API may take, ms. */
  timeout_ms: z.number().int().positive().optional(),
  metadata: z.record(z.string(), z.unknown()).default({}),
})
export type ProviderConfig = z.output<typeof ProviderConfig>

/** Formats an export may have. */
export const DiskFormat = z.enum(['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx', 'vdi', 'ovf', 'ova'])
export type DiskFormat = z.output<typeof DiskFormat>

/** What a provider can export; data from the manifest, so asking needs no instance and no credentials. */
export const ExportCapabilities = z.object({
  supported_formats: z.array(DiskFormat).default([]),
  /** Why there are no formats, to end a sentence with; given to whoever asks for an export all the same. */
  no_export_reason: z.string().min(1).max(200).optional(),
  supports_compression: z.boolean().default(false),
  /** Bytes go straight to the host without a staging copy. */
  supports_streaming: z.boolean().default(false),
  supports_snapshots: z.boolean().default(false),
  /** 0 = no limit. */
  max_vm_size_gb: z.number().nonnegative().default(0),
  supported_targets: z.array(z.enum(['local', 's3', 'azure-blob', 'gcs'])).default(['local']),
})
export type ExportCapabilities = z.output<typeof ExportCapabilities>

/** What a manifest declares for a provider. */
export const ProviderMetadata = z.object({
  display_name: z.string().optional(),
  capabilities: ExportCapabilities.prefault({}),
})
export type ProviderMetadata = z.output<typeof ProviderMetadata>
