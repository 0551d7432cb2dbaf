import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Domain, DomainDisk } from './domain.ts'
import { libvirtErrors } from './errors.ts'

/** How disks are frozen. */
export interface FreezeOptions {
  /** Asks the guest's agent to bring its file systems to rest first. */
  readonly quiesce: boolean
  /** Where the temporary overlays go; undefined: beside each disk. */
  readonly overlayDirectory: string | undefined
}

/** What a running domain's disks are before an export freezes them, and what they run on meanwhile. */
export interface FreezePlan {
  readonly exportId: string
  readonly uri: string
  readonly uuid: string
  readonly disks: readonly FrozenDisk[]
}

/** One disk: the domain writes to `overlay` while `base` stands still. */
export interface FrozenDisk {
  readonly target: string
  readonly base: string
  readonly overlay: string
}

/** Plans the freezing of every disk that is written to. Errors: `LIBVIRT_RUNNING_UNSUPPORTED`, `LIBVIRT_DISK_UNSUPPORTED`. */
export function planFreeze(exportId: string, uri: string, domain: Domain, options: FreezeOptions): FreezePlan {
  if (domain.type !== 'qemu' && domain.type !== 'kvm') {
    throw libvirtErrors.error('LIBVIRT_RUNNING_UNSUPPORTED', { name: domain.name, reason: `runs on ${domain.type}` })
  }
  const disks = domain.disks.flatMap((disk) => {
    if (disk.readOnly || disk.source.kind !== 'path') return []
    return [{ target: disk.target, base: disk.source.path, overlay: overlayPath(exportId, domain, disk, options) }]
  })
  return { exportId, uri, uuid: domain.uuid, disks }
}

/** The arguments that make virsh freeze all planned disks at one moment, and nothing else. */
export function freezeCommand(plan: FreezePlan, domain: Domain, { quiesce }: FreezeOptions): string[] {
  const frozen = new Set(plan.disks.map((disk) => disk.target))
  const others = [...domain.drives, ...domain.disks.map((disk) => disk.target)].filter((target) => !frozen.has(target))
  const specs = [
    // A comma in a value is written twice.
    ...plan.disks.map(({ target, overlay }) => `${target},snapshot=external,file=${overlay.replaceAll(',', ',,')}`),
    ...others.map((target) => `${target},snapshot=no`),
  ]
  const named = ['--domain', plan.uuid, '--name', snapshotName(plan.exportId)]
  const flags = ['--disk-only', '--atomic', '--no-metadata', ...(quiesce ? ['--quiesce'] : [])]
  return ['snapshot-create-as', ...named, ...flags, ...specs.flatMap((spec) => ['--diskspec', spec])]
}

/** Short, and the same for every attempt at one export. */
function snapshotName(exportId: string): string {
  return `hypersdk-${createHash('sha256').update(exportId).digest('hex').slice(0, 12)}`
}

/** The target is part of the name, because two disks may differ in nothing but their extension. */
function overlayPath(exportId: string, domain: Domain, disk: DomainDisk, options: FreezeOptions): string {
  const suffix = `${disk.target}.${snapshotName(exportId)}`
  if (options.overlayDirectory !== undefined) return join(options.overlayDirectory, `${domain.uuid}.${suffix}`)
  const path = disk.source.kind === 'path' ? disk.source.path : ''
  if (!path.startsWith('/dev/')) return `${path}.${suffix}`
  const reason = 'it is a device, and metadata.overlay_directory does not say where the machine may write meanwhile'
  throw libvirtErrors.error('LIBVIRT_DISK_UNSUPPORTED', { name: domain.name, target: disk.target, reason })
}
