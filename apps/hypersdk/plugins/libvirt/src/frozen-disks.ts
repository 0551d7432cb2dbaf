import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { PlatformError, type Logger, type State } from '@backplane/sdk'
import type { Domain, DomainDisk } from './domain.ts'
import { libvirtErrors } from './errors.ts'
import { findDomain } from './list-domains.ts'
import { mergeOverlay } from './merge-overlay.ts'
import type { Virsh } from './virsh.ts'

/** What a running domain's disks were before an export froze them; kept until everything is as it was. */
interface Freeze {
  readonly exportId: string
  readonly uri: string
  readonly uuid: string
  readonly disks: readonly { readonly target: string; readonly base: string }[]
}

/** How disks are frozen. */
export interface FreezeOptions {
  /** Asks the guest's agent to bring its file systems to rest first. */
  readonly quiesce: boolean
  /** Where the temporary overlays go; undefined: beside each disk. */
  readonly overlayDirectory: string | undefined
}

const keyPrefix = 'freeze.'
const snapshotMs = 120_000

/**
 * Keeps a running domain's disks still while they are copied: a temporary external snapshot lets the domain write into
 * overlays, and releasing merges them back. What is frozen is written to the plugin's durable state *before* it is done,
 * so that it can be undone after any crash. One export at a time for each domain.
 */
export class FrozenDisks {
  readonly #state: State
  readonly #log: Logger
  readonly #locks = new Map<string, Promise<unknown>>()

  constructor(state: State, log: Logger) {
    this.#state = state
    this.#log = log
  }

  /** Errors: `LIBVIRT_RUNNING_UNSUPPORTED`, `LIBVIRT_EXPORT_RUNNING`, `LIBVIRT_FAILED`; nothing is frozen then. */
  freeze(virsh: Virsh, exportId: string, domain: Domain, options: FreezeOptions): Promise<void> {
    return this.#locked(domain.uuid, () => this.#locked(exportId, () => this.#freeze(virsh, exportId, domain, options)))
  }

  /**
   * Merges the overlays of an export back and forgets it. Does nothing when there is nothing to undo, so it may be
   * called again and again. Errors: `LIBVIRT_RELEASE_BLOCKED`; what is to be undone then stays on record.
   */
  release(virsh: Virsh, exportId: string, signal: AbortSignal): Promise<void> {
    return this.#locked(exportId, async () => {
      const freeze = (await this.#state.get(keyOf(exportId))) as Freeze | undefined
      if (freeze?.uri === virsh.uri) await this.#undo(virsh, freeze, signal)
    })
  }

  async #freeze(virsh: Virsh, exportId: string, domain: Domain, options: FreezeOptions): Promise<void> {
    if (domain.type !== 'qemu' && domain.type !== 'kvm') {
      throw libvirtErrors.error('LIBVIRT_RUNNING_UNSUPPORTED', { name: domain.name, reason: `runs on ${domain.type}` })
    }
    await this.#expectFree(virsh, domain)
    const disks = domain.disks.flatMap((disk) => {
      return disk.readOnly || disk.source.kind !== 'path' ? [] : [{ target: disk.target, base: disk.source.path }]
    })
    if (disks.length === 0) return
    const freeze: Freeze = { exportId, uri: virsh.uri, uuid: domain.uuid, disks }
    await this.#state.set(keyOf(exportId), freeze)
    try {
      // Not bound to the call: libvirt would go on with a snapshot whose virsh is gone, and nobody would know.
      await virsh.run(snapshotCommand(domain, freeze, options), AbortSignal.timeout(snapshotMs), snapshotMs)
    } catch (error) {
      const unknown = error instanceof PlatformError && error.code === 'LIBVIRT_TIMEOUT'
      if (!unknown) await this.#undo(virsh, freeze, AbortSignal.timeout(snapshotMs))
      throw error
    }
    this.#log.info('froze the disks of a running domain', { domain: domain.name, export: exportId })
  }

  async #expectFree(virsh: Virsh, domain: Domain): Promise<void> {
    for (const key of await this.#state.keys(keyPrefix)) {
      const other = (await this.#state.get(key)) as Freeze | undefined
      if (other?.uuid !== domain.uuid || other.uri !== virsh.uri) continue
      throw libvirtErrors.error('LIBVIRT_EXPORT_RUNNING', { name: domain.name, export: other.exportId })
    }
  }

  async #undo(virsh: Virsh, freeze: Freeze, signal: AbortSignal): Promise<void> {
    const domain = await present(virsh, freeze.uuid, signal)
    for (const { target, base } of domain === undefined ? [] : freeze.disks) {
      const disk = domain?.disks.find((one) => one.target === target)
      if (domain === undefined || disk === undefined || activePath(disk) === base) continue
      const overlay = { domain, disk, base, snapshot: snapshotName(freeze.exportId), log: this.#log }
      await mergeOverlay(virsh, overlay, signal)
    }
    await this.#state.delete(keyOf(freeze.exportId))
  }

  /** Runs one after the other what has the same key. */
  async #locked<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(key)
    const mine = (async () => {
      await before?.catch(() => undefined)
      return work()
    })()
    this.#locks.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#locks.get(key) === mine) this.#locks.delete(key)
    }
  }
}

function activePath(disk: DomainDisk): string | undefined {
  return disk.source.kind === 'path' ? disk.source.path : undefined
}

async function present(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<Domain | undefined> {
  try {
    return await findDomain(virsh, uuid, signal)
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'LIBVIRT_NOT_FOUND') return undefined
    throw error
  }
}

/** Short and the same for every attempt at one export; the overlays carry it in their names. */
function snapshotName(exportId: string): string {
  return `hypersdk-${createHash('sha256').update(exportId).digest('hex').slice(0, 12)}`
}

function keyOf(exportId: string): string {
  return keyPrefix + createHash('sha256').update(exportId).digest('hex')
}

function snapshotCommand(domain: Domain, freeze: Freeze, options: FreezeOptions): string[] {
  const name = snapshotName(freeze.exportId)
  const frozen = new Set(freeze.disks.map((disk) => disk.target))
  const others = [...domain.drives, ...domain.disks.map((disk) => disk.target)].filter((target) => !frozen.has(target))
  const place = (target: string): string => {
    if (options.overlayDirectory === undefined) return ''
    // A comma in a value is written twice.
    return `,file=${join(options.overlayDirectory, `${domain.uuid}-${target}.${name}`).replaceAll(',', ',,')}`
  }
  return [
    'snapshot-create-as',
    '--domain',
    domain.uuid,
    '--name',
    name,
    '--disk-only',
    '--atomic',
    '--no-metadata',
    ...(options.quiesce ? ['--quiesce'] : []),
    ...[...frozen].flatMap((target) => ['--diskspec', `${target},snapshot=external${place(target)}`]),
    ...others.flatMap((target) => ['--diskspec', `${target},snapshot=no`]),
  ]
}
