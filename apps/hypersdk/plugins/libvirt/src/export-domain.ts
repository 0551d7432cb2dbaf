import type { Call } from '@backplane/sdk'
import type { DiskFormat, ExportItem } from '@hypersdk/points'
import type { QemuFormat } from '@hypersdk/points/programs'
import { convertDisk } from './convert-disk.ts'
import { diskSize } from './disk-size.ts'
import type { Domain, DomainDisk } from './domain.ts'
import { libvirtErrors } from './errors.ts'
import type { FreezeOptions } from './freeze-plan.ts'
import type { FrozenDisks } from './frozen-disks.ts'
import { findDomain } from './list-domains.ts'
import { isLocal, type Virsh } from './virsh.ts'

/** What an instance exports with. */
export interface ExportTools {
  readonly virsh: Virsh
  readonly frozen: FrozenDisks
  readonly freezing: FreezeOptions
}

/** What of an export request matters here. */
export interface DomainExport {
  readonly export_id: string
  readonly id: string
  readonly format: DiskFormat
  readonly staging_dir: string
  readonly include_snapshots?: boolean | undefined
}

const mergeMs = 6 * 3_600_000

/**
 * Copies every disk of a domain into the staging directory. The disks of an active domain are frozen meanwhile and
 * released at the end, however that comes. What an earlier attempt at the same export left is undone first.
 */
export async function* exportDomain(tools: ExportTools, request: DomainExport, call: Call): AsyncGenerator<ExportItem> {
  const { virsh, frozen, freezing } = tools
  const to = targetFormat(request.format)
  if (!isLocal(virsh.uri)) throw libvirtErrors.error('LIBVIRT_REMOTE_EXPORT', { uri: virsh.uri })
  await frozen.release(virsh, request.export_id, call.signal)
  const domain = await findDomain(virsh, request.id, call.signal)
  const disks = await disksOf(virsh, domain, call.signal)
  yield describe(domain)
  if (request.include_snapshots === true) {
    yield { kind: 'warning', stage: 'export', message: 'libvirt snapshots are not carried over; the current state is exported' }
  }
  for (const disk of disks) yield await declare(domain, { ...disk, to }, call.signal)
  if (domain.active) await frozen.freeze(virsh, request.export_id, domain, freezing)
  try {
    for (const disk of disks) {
      call.signal.throwIfAborted()
      const copy = { ...disk, name: domain.name, to, staging: request.staging_dir }
      yield { kind: 'file', disk: disk.target, path: await convertDisk(copy, call) }
    }
  } finally {
    await frozen.release(virsh, request.export_id, AbortSignal.timeout(mergeMs))
  }
}

function targetFormat(format: DiskFormat): QemuFormat {
  if (format === 'ovf' || format === 'ova') throw libvirtErrors.error('LIBVIRT_FORMAT_UNSUPPORTED', { format })
  return format
}

function describe(domain: Domain): ExportItem {
  return {
    kind: 'vm',
    name: domain.name,
    cpu: domain.cpus,
    mem_gb: domain.memoryMb / 1024,
    firmware: domain.firmware,
    secureboot: domain.secureBoot,
    nics: [...domain.nics],
    ...(domain.os === '' ? {} : { os_hint: domain.os }),
  }
}

/** A disk that can be read as a file or device of this machine. */
interface ReadableDisk {
  readonly target: string
  readonly path: string
  readonly format: string
  readonly boot: boolean
}

async function disksOf(virsh: Virsh, domain: Domain, signal: AbortSignal): Promise<ReadableDisk[]> {
  if (domain.disks.length === 0) throw libvirtErrors.error('LIBVIRT_NO_DISKS', { name: domain.name })
  const first = domain.disks.toSorted((a, b) => a.bootOrder - b.bootOrder)[0]
  const found: ReadableDisk[] = []
  for (const disk of domain.disks) {
    const { target, format } = disk
    found.push({ target, format, path: await pathOf(virsh, domain, disk, signal), boot: disk === first })
  }
  return found
}

async function pathOf(virsh: Virsh, domain: Domain, disk: DomainDisk, signal: AbortSignal): Promise<string> {
  const { target, source } = disk
  const unsupported = (reason: string): Error =>
    libvirtErrors.error('LIBVIRT_DISK_UNSUPPORTED', { name: domain.name, target, reason })
  if (disk.encrypted) throw unsupported('it is encrypted')
  if (source.kind === 'path') {
    if (source.path.startsWith('/')) return source.path
    throw unsupported(`its path ${source.path} is not absolute`)
  }
  if (source.kind === 'other') throw unsupported(`it is of type ${source.type}`)
  if (domain.active) throw unsupported('it is a pool volume of an active machine, which cannot be frozen')
  return (await virsh.run(['vol-path', '--pool', source.pool, '--vol', source.volume], signal)).trim()
}

async function declare(
  domain: Domain,
  disk: ReadableDisk & { readonly to: QemuFormat },
  signal: AbortSignal,
): Promise<ExportItem> {
  const size = await diskSize({ ...disk, name: domain.name }, signal)
  const stored = sourceFormats[disk.format]
  return {
    kind: 'disk',
    disk: disk.target,
    format: disk.to,
    ...(stored === undefined ? {} : { source_format: stored }),
    // Only a raw file is as long as the disk inside it.
    size_bytes: disk.to === 'raw' ? size : null,
    label: `${domain.name} ${disk.target}`,
    boot: disk.boot,
  }
}

const sourceFormats: Readonly<Record<string, DiskFormat>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vmdk: 'vmdk',
  vdi: 'vdi',
  vpc: 'vhd',
  vhdx: 'vhdx',
}
