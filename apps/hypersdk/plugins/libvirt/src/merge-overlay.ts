import { PlatformError, type Logger } from '@backplane/sdk'
import type { Domain, DomainDisk } from './domain.ts'
import { libvirtErrors } from './errors.ts'
import type { FrozenDisk } from './freeze-plan.ts'
import type { Virsh } from './virsh.ts'

/** A disk that writes into a temporary overlay. */
export interface Overlay {
  readonly domain: Domain
  /** As it is now. */
  readonly disk: DomainDisk
  /** As it was frozen. */
  readonly frozen: FrozenDisk
  readonly log: Logger
}

/**
 * Merges an overlay into the disk below it and lets the domain go on there. Touches only the overlay this plugin made,
 * and only while it is the top one. Errors: `LIBVIRT_RELEASE_BLOCKED`.
 */
export async function mergeOverlay(virsh: Virsh, overlay: Overlay, signal: AbortSignal): Promise<void> {
  const { domain, disk, frozen } = overlay
  const active = disk.source.kind === 'path' ? disk.source.path : 'something else'
  if (!domain.active) throw blocked(overlay, 'it is shut off')
  if (active !== frozen.overlay || disk.backing !== frozen.base) throw blocked(overlay, `${disk.target} now runs on ${active}`)
  const at = ['--domain', domain.uuid, '--path', disk.target]
  try {
    if (await finishEarlier(virsh, at, signal)) return
    await commit(virsh, overlay, at, signal)
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'LIBVIRT_FAILED') throw error
    throw blocked(overlay, error.message, error)
  }
}

/** A merge that was cut off may still run in the hypervisor: ended when it is ready, otherwise given up. */
async function finishEarlier(virsh: Virsh, at: readonly string[], signal: AbortSignal): Promise<boolean> {
  const job = await virsh.run(['blockjob', ...at, '--info'], signal)
  if (!/Block Commit/i.test(job)) return false
  try {
    await virsh.run(['blockjob', ...at, '--pivot'], signal)
    return true
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'LIBVIRT_FAILED') throw error
    await virsh.run(['blockjob', ...at, '--abort'], signal)
    return false
  }
}

async function commit(virsh: Virsh, overlay: Overlay, at: readonly string[], signal: AbortSignal): Promise<void> {
  // Shallow: without it the merge would go on into the images below the base.
  const command = ['blockcommit', ...at, '--active', '--shallow', '--pivot', '--wait']
  try {
    await virsh.run([...command, '--delete'], signal, 0)
  } catch (error) {
    if (!(error instanceof PlatformError) || !/unsupported flags|doesn't support option/.test(error.message)) throw error
    await virsh.run(command, signal, 0)
    const file = overlay.frozen.overlay
    overlay.log.warn('this libvirt cannot delete the merged overlay; remove the file by hand', { file })
  }
}

function blocked(overlay: Overlay, reason: string, cause?: unknown): Error {
  return libvirtErrors.error('LIBVIRT_RELEASE_BLOCKED', { name: overlay.domain.name, reason }, { cause })
}
