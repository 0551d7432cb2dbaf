import { createHash } from 'node:crypto'
import { PlatformError, type Logger, type State } from '@backplane/sdk'
import type { Domain } from './domain.ts'
import { libvirtErrors } from './errors.ts'
import { freezeCommand, planFreeze, type FreezeOptions, type FreezePlan } from './freeze-plan.ts'
import { findDomain } from './list-domains.ts'
import { mergeOverlay } from './merge-overlay.ts'
import type { Virsh } from './virsh.ts'

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

  /** Errors: those of planning, `LIBVIRT_EXPORT_RUNNING`, `LIBVIRT_FAILED`; nothing is frozen then. */
  freeze(virsh: Virsh, exportId: string, domain: Domain, options: FreezeOptions): Promise<void> {
    const plan = planFreeze(exportId, virsh.uri, domain, options)
    const command = freezeCommand(plan, domain, options)
    return this.#locked(domain.uuid, () => this.#locked(exportId, () => this.#freeze(virsh, plan, command)))
  }

  /**
   * Merges the overlays of an export back and forgets it. Does nothing when there is nothing to undo, so it may be
   * called again and again. Errors: `LIBVIRT_RELEASE_BLOCKED`; what is to be undone then stays on record.
   */
  release(virsh: Virsh, exportId: string, signal: AbortSignal): Promise<void> {
    return this.#locked(exportId, async () => {
      const plan = (await this.#state.get(keyOf(exportId))) as FreezePlan | undefined
      if (plan?.uri === virsh.uri) await this.#undo(virsh, plan, signal)
    })
  }

  async #freeze(virsh: Virsh, plan: FreezePlan, command: readonly string[]): Promise<void> {
    await this.#expectFree(plan)
    if (plan.disks.length === 0) return
    await this.#state.set(keyOf(plan.exportId), plan)
    try {
      // Not bound to the call: libvirt would go on with a snapshot whose virsh is gone, and nobody would know.
      await virsh.run(command, AbortSignal.timeout(snapshotMs), snapshotMs)
    } catch (error) {
      const mayStillHappen = error instanceof PlatformError && error.code === 'LIBVIRT_TIMEOUT'
      if (!mayStillHappen) await this.#undo(virsh, plan, AbortSignal.timeout(snapshotMs))
      throw error
    }
    this.#log.info('froze the disks of a running domain', { domain: plan.uuid, export: plan.exportId })
  }

  async #expectFree(plan: FreezePlan): Promise<void> {
    for (const key of await this.#state.keys(keyPrefix)) {
      const other = (await this.#state.get(key)) as FreezePlan | undefined
      if (other?.uuid !== plan.uuid || other.uri !== plan.uri) continue
      throw libvirtErrors.error('LIBVIRT_EXPORT_RUNNING', { name: plan.uuid, export: other.exportId })
    }
  }

  async #undo(virsh: Virsh, plan: FreezePlan, signal: AbortSignal): Promise<void> {
    const domain = await present(virsh, plan.uuid, signal)
    for (const frozen of domain === undefined ? [] : plan.disks) {
      const disk = domain?.disks.find((one) => one.target === frozen.target)
      const back = disk?.source.kind === 'path' && disk.source.path === frozen.base
      if (domain === undefined || disk === undefined || back) continue
      await mergeOverlay(virsh, { domain, disk, frozen, log: this.#log }, signal)
    }
    await this.#state.delete(keyOf(plan.exportId))
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

async function present(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<Domain | undefined> {
  try {
    return await findDomain(virsh, uuid, signal)
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'LIBVIRT_NOT_FOUND') return undefined
    throw error
  }
}

function keyOf(exportId: string): string {
  return keyPrefix + createHash('sha256').update(exportId).digest('hex')
}
