import { dirname, join } from 'node:path'
import type { ExportResult } from '@hypersdk/points'
import type { ArtifactManifest } from './artifact-manifest.ts'
import type { ReceivedDisk, ReceivedExport } from './disk-receiver.ts'
import type { ExportInput } from './export-input.ts'
import type { ExportTarget } from './export-target.ts'

/** What this host adds to a manifest, under `metadata`. */
interface HostMetadata {
  readonly export_id: string
  readonly plugin: string
  readonly plugin_version: string
  /** Seconds. */
  readonly duration: number
  readonly disks: Readonly<Record<string, DiskMetadata>>
}

interface DiskMetadata {
  /** Before compression, holes included. */
  readonly size_bytes: number
  readonly compression?: 'gzip'
  /** Its format where it came from. */
  readonly stored_as?: string
}

/** The manifest of a complete export. */
export function describeExport(
  input: ExportInput,
  target: ExportTarget,
  received: ReceivedExport,
  duration: number,
): ArtifactManifest {
  const { vm, lease } = input
  const { metadata: _metadata, ...options } = input.options
  const told = received.vm
  const disks = Object.fromEntries(received.disks.map((disk) => [disk.disk.id, diskMetadata(disk, target)]))
  const own: HostMetadata = { export_id: input.exportId, plugin: lease.plugin, plugin_version: lease.version, duration, disks }
  const guest = told.os_hint ?? vm.guest_os
  return {
    manifest_version: '1.0',
    source: {
      provider: vm.provider,
      vm_id: vm.id,
      vm_name: vm.name,
      ...(vm.location === '' ? {} : { datacenter: vm.location }),
      export_timestamp: new Date().toISOString(),
      export_method: received.staged ? 'staged' : 'stream',
    },
    vm: {
      cpu: told.cpu ?? Math.round(vm.num_cpus),
      mem_gb: told.mem_gb ?? vm.memory_mb / 1024,
      firmware: told.firmware ?? 'unknown',
      secureboot: told.secureboot ?? false,
      ...(guest === '' ? {} : { os_hint: guest }),
      ...(told.os_version === undefined ? {} : { os_version: told.os_version }),
    },
    disks: received.disks.map((disk) => describeDisk(disk, target, mainDisk(received.disks))),
    nics: told.nics ?? [],
    notes: [],
    warnings: [...received.warnings],
    metadata: { ...told.metadata, ...own },
    output: { directory: target.directory, format: target.format, ...compression(target) },
    options,
  }
}

/** What the caller is told, read from the manifest; so a finished export answers the same when it is asked again. */
export function exportResult(manifest: ArtifactManifest, manifestPath: string): ExportResult {
  const main = manifest.disks.find(({ disk_type }) => disk_type === 'boot') ?? manifest.disks[0]
  const own = manifest.metadata as unknown as HostMetadata
  return {
    provider: manifest.source.provider,
    vm_name: manifest.source.vm_name,
    vm_id: manifest.source.vm_id,
    format: main?.source_format ?? 'raw',
    output_path: main?.local_path ?? dirname(manifestPath),
    files: [...manifest.disks.map(({ local_path }) => local_path), manifestPath],
    size: Object.values(own.disks).reduce((sum, { size_bytes }) => sum + size_bytes, 0),
    compressed_size: manifest.disks.reduce((sum, { bytes }) => sum + bytes, 0),
    checksum: main?.checksum.replace('sha256:', '') ?? '',
    duration: own.duration,
    metadata: { export_id: own.export_id, manifest: manifestPath, plugin: own.plugin, plugin_version: own.plugin_version },
  }
}

/** The one that boots; the first when the plugin did not say. */
function mainDisk(disks: readonly ReceivedDisk[]): ReceivedDisk | undefined {
  return disks.find(({ disk }) => disk.declared.boot === true) ?? disks[0]
}

function describeDisk(
  disk: ReceivedDisk,
  target: ExportTarget,
  main: ReceivedDisk | undefined,
): ArtifactManifest['disks'][number] {
  const { declared, id, number } = disk.disk
  return {
    id,
    source_format: target.format,
    bytes: disk.bytes,
    local_path: join(target.directory, disk.name),
    checksum: `sha256:${disk.sha256}`,
    boot_order_hint: disk === main ? 0 : number,
    ...(declared.label === undefined ? {} : { label: declared.label }),
    disk_type: disk === main ? 'boot' : declared.boot === undefined ? 'unknown' : 'data',
  }
}

function diskMetadata({ disk }: ReceivedDisk, target: ExportTarget): DiskMetadata {
  const { source_format } = disk.declared
  return {
    size_bytes: disk.received,
    ...compression(target),
    ...(source_format === undefined ? {} : { stored_as: source_format }),
  }
}

function compression({ gzipLevel }: ExportTarget): { compression?: 'gzip' } {
  return gzipLevel === undefined ? {} : { compression: 'gzip' }
}
