import { z } from 'zod'
import { DiskFormat } from './provider-config.ts'

/** What the user asked of an export. */
export const ExportOptions = z.object({
  /** Local directory or cloud URL. */
  output_path: z.string().optional(),
  format: DiskFormat.default('raw'),
  compress: z.boolean().default(false),
  /** 1 fastest to 9 smallest. */
  compression_level: z.number().int().min(1).max(9).optional(),
  include_snapshots: z.boolean().default(false),
  remove_cdrom: z.boolean().default(false),
  /** Replaces files of the same name; without it an export to an existing name is refused. */
  overwrite: z.boolean().default(false),
  metadata: z.record(z.string(), z.unknown()).default({}),
})
export type ExportOptions = z.output<typeof ExportOptions>

const diskId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)

/** What a provider is given to export. Compression, checksums and the final place are the host's business. */
export const ExportRequest = z.object({
  /** Names this export in `cleanupExport`; the same for every attempt of one job. */
  export_id: z.string().min(1),
  /** The machine, in the provider's own form. */
  id: z.string().min(1),
  /** The format wanted. A provider that yields another one says so in its `disk` item, and the host refuses it. */
  format: DiskFormat,
  /** A directory of this call alone, writable by the plugin until the call ends. Absolute. */
  staging_dir: z.string(),
  include_snapshots: z.boolean().default(false),
  remove_cdrom: z.boolean().default(false),
  metadata: z.record(z.string(), z.unknown()).default({}),
  /**
   * What an earlier attempt has safely written. A provider may begin a disk at `offset_bytes` when its `etag` is still the
   * same, and says so with `from_bytes` in its `disk` item; one that ignores this begins at 0.
   */
  resume: z.array(z.object({ disk: diskId, etag: z.string(), offset_bytes: z.number().int().nonnegative() })).optional(),
})
export type ExportRequest = z.output<typeof ExportRequest>

/**
 * What an export yields: for each disk a `disk` item, then either its `bytes` and `hole` items in order of their
 * offsets and without gaps (the first at 0, the last up to `size_bytes`: what is zero is a `hole`, never left out), or
 * one `file` item. All disks may be declared first, which gives the user a total at once. `vm` and `warning` items may
 * come anywhere. A finished qcow2, vmdk, vdi or vhd must not refer to another file.
 */
export const ExportItem = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('disk'),
    disk: diskId,
    /** Of the bytes that follow. */
    format: DiskFormat,
    /** What the disk was stored as at its source. */
    source_format: DiskFormat.optional(),
    /** Bytes of the disk's file (the sum of its `bytes` and `hole` items, or the size of its `file`); null when not known before. */
    size_bytes: z.number().int().nonnegative().nullable(),
    /** What people call the disk; at most 1,000 characters. */
    label: z.string().max(1_000).optional(),
    boot: z.boolean().optional(),
    /**
     * Names the content: as long as it is the same, so is every byte. With it, an export that was cut off can go on where
     * it was; without it, it begins anew.
     */
    etag: z.string().min(1).max(256).optional(),
    /** Where the disk's items begin: 0 by default, or the `offset_bytes` that was asked for in `resume`. */
    from_bytes: z.number().int().nonnegative().optional(),
  }),
  z.object({ kind: z.literal('bytes'), disk: diskId, offset: z.number().int().nonnegative(), bytes: z.instanceof(Uint8Array) }),
  /** A run of zeros that needs no bytes; kept sparse in the target. */
  z.object({
    kind: z.literal('hole'),
    disk: diskId,
    offset: z.number().int().nonnegative(),
    length: z.number().int().positive(),
  }),
  /** A finished file in the staging directory; `path` is relative to it. */
  z.object({ kind: z.literal('file'), disk: diskId, path: z.string().min(1) }),
  z.object({
    kind: z.literal('vm'),
    name: z.string().optional(),
    cpu: z.number().int().nonnegative().optional(),
    mem_gb: z.number().nonnegative().optional(),
    firmware: z.enum(['bios', 'uefi', 'unknown']).optional(),
    secureboot: z.boolean().optional(),
    os_hint: z.string().optional(),
    os_version: z.string().optional(),
    nics: z.array(z.record(z.string(), z.unknown())).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
  }),
  z.object({ kind: z.literal('warning'), stage: z.string(), message: z.string() }),
])
export type ExportItem = z.output<typeof ExportItem>

/** What an export came to, as the host found it: sizes and checksum are the host's own. */
export const ExportResult = z.object({
  provider: z.string(),
  vm_name: z.string(),
  vm_id: z.string(),
  format: DiskFormat,
  output_path: z.string(),
  files: z.array(z.string()),
  /** Bytes of the disks, before compression. */
  size: z.number().int().nonnegative(),
  /** Bytes written, after compression; equal to `size` without it. */
  compressed_size: z.number().int().nonnegative(),
  /** SHA-256 of the main file as written, 64 hexadecimal digits. */
  checksum: z.string(),
  /** Seconds. */
  duration: z.number().nonnegative(),
  metadata: z.record(z.string(), z.unknown()).default({}),
})
export type ExportResult = z.output<typeof ExportResult>
