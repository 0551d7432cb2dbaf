import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { exportErrors } from './errors.ts'

const largestBytes = 16 * 1_048_576
const open_ = z.record(z.string(), z.unknown())

const Disk = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]+$/),
  /** Of the file at `local_path`, once decompressed. */
  source_format: z.enum(['vmdk', 'qcow2', 'raw', 'vhd', 'vhdx', 'vdi']),
  /** Length of the file as it is, compressed or not. */
  bytes: z.number().int().nonnegative(),
  /** Absolute. */
  local_path: z.string().min(1),
  /** Of the file as it is. */
  checksum: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  boot_order_hint: z.number().int().nonnegative(),
  label: z.string().optional(),
  disk_type: z.enum(['boot', 'data', 'unknown']),
})

/**
 * What was exported, beside the disks; written last, so where it is the export is complete.
 * Source: artifact manifest v1.0 of HyperSDK.
 */
export const ArtifactManifest = z.object({
  manifest_version: z.literal('1.0'),
  source: z.object({
    provider: z.string(),
    vm_id: z.string(),
    vm_name: z.string(),
    datacenter: z.string().optional(),
    export_timestamp: z.iso.datetime(),
    export_method: z.string().optional(),
  }),
  vm: z.object({
    cpu: z.number().int().nonnegative(),
    mem_gb: z.number().nonnegative(),
    firmware: z.enum(['bios', 'uefi', 'unknown']).default('unknown'),
    secureboot: z.boolean().default(false),
    os_hint: z.string().optional(),
    os_version: z.string().optional(),
  }),
  disks: z
    .array(Disk)
    .min(1)
    .refine((disks) => new Set(disks.map(({ id }) => id)).size === disks.length, 'disk ids repeat'),
  nics: z.array(open_).default([]),
  notes: z.array(z.string()).default([]),
  warnings: z.array(z.object({ stage: z.string(), message: z.string(), timestamp: z.string() })).default([]),
  metadata: open_.default({}),
  pipeline: open_.optional(),
  configuration: open_.optional(),
  output: open_.default({}),
  options: open_.default({}),
})
export type ArtifactManifest = z.output<typeof ArtifactManifest>

/** Checks a manifest before it is written. Errors: `EXPORT_MANIFEST_INVALID`. */
export function parseArtifactManifest(value: unknown, path: string): ArtifactManifest {
  const parsed = ArtifactManifest.safeParse(value)
  if (parsed.success) return parsed.data
  throw exportErrors.error('EXPORT_MANIFEST_INVALID', { path, reason: z.prettifyError(parsed.error) }, { cause: parsed.error })
}

/** Errors: `EXPORT_MANIFEST_INVALID`, also for a file that is missing. */
export async function readArtifactManifest(path: string): Promise<ArtifactManifest> {
  return parseArtifactManifest(await readJson(path), path)
}

async function readJson(path: string): Promise<unknown> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > largestBytes) throw new Error('it is too large or no regular file')
    return JSON.parse(await file.readFile('utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw exportErrors.error('EXPORT_MANIFEST_INVALID', { path, reason }, { cause: error })
  }
}
