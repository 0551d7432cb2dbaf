import { didYouMean } from '@backplane/sdk'
import { boundedWait } from '../calls/bounded-wait.ts'
import type { Catalogue } from './catalogue.ts'
import type { Core } from '../core.ts'
import { comeBack, switchOff, withdraw } from './departure.ts'
import { kernelErrors } from '../errors.ts'
import type { PluginDirectory, RefreshReport } from '../kernel.ts'
import type { Plugin } from './plugin.ts'
import type { ProfileKind, ProfileOptions } from '../ports.ts'
import type { HistoryEntry, PluginRecord } from '../record.ts'
import type { Refresher } from './refresher.ts'
import { rollBack } from './roll-back.ts'
import { findVersion } from './selection.ts'
import { refusalOf } from './refusal.ts'
import { renew } from './succession.ts'
import { endUnadmitted } from './readmit.ts'
import { offerAgain, retryUnlaunched } from './retry-unlaunched.ts'
import type { PluginUses } from '../permission-use.ts'
import { usesOf } from './uses-of.ts'
import { endProbation } from './move-back.ts'
import { takeProfile } from './take-profile.ts'

/** What an operator may do with the plugins. */
export class PluginCommands implements PluginDirectory {
  readonly #core: Core
  readonly #catalogue: Catalogue
  readonly #refresher: Refresher

  constructor(core: Core, parts: { readonly catalogue: Catalogue; readonly refresher: Refresher }) {
    this.#core = core
    this.#catalogue = parts.catalogue
    this.#refresher = parts.refresher
  }

  readonly list = (): readonly PluginRecord[] => {
    const plugins = [...this.#core.plugins.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
    return plugins.map((plugin) => plugin.record())
  }

  readonly get = (id: string): PluginRecord | undefined => this.#lookUp(id)?.record()

  readonly refresh = async (signal?: AbortSignal): Promise<RefreshReport> => {
    signal?.throwIfAborted()
    if (this.#core.stopping.aborted) throw kernelErrors.error('KERNEL_STOPPING')
    return boundedWait(this.#refreshAndRetry(), { signal })
  }

  async #refreshAndRetry(): Promise<RefreshReport> {
    await offerAgain(this.#core)
    const report = await this.#refresher.refresh()
    const running = await retryUnlaunched(this.#core)
    return { ...report, failed: report.failed.filter((id) => !running.has(id)) }
  }

  readonly readmit = async (): Promise<readonly string[]> => {
    const core = this.#core
    await retryUnlaunched(core)
    const ended = await endUnadmitted(core)
    if (ended.length === 0) return ended
    await this.#catalogue.review()
    const idle = ended
      .flatMap((id) => core.plugins.get(id) ?? [])
      .filter(({ serving, usable }) => serving === undefined && usable)
    await Promise.allSettled(idle.map((plugin) => core.activate(plugin)))
    return ended
  }

  readonly reload = async (id: string): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    const { generation } = plugin
    plugin.rejected = undefined
    await this.#core.supervisor.release(plugin)
    if (this.#core.choices.held(plugin.id)?.why !== 'rolled back') await this.#core.choices.release(plugin.id)
    await this.#refresher.refresh()
    if (plugin.generation === generation && this.#core.plugins.get(plugin.id) === plugin) await renew(this.#core, plugin)
    return plugin.record()
  }

  readonly enable = async (id: string): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    const { denied } = plugin.candidate
    if (denied !== undefined)
      throw kernelErrors.error('POLICY_DENIED', { plugin: plugin.id, reason: denied }, { plugin: plugin.id })
    if (await this.#core.switches.on(plugin.id)) {
      comeBack(plugin, this.#core.offReason(plugin.candidate))
      await plugin.quiet()
      await this.#catalogue.review()
    }
    return plugin.record()
  }

  readonly disable = async (id: string, reason = 'it was disabled'): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    await this.#core.switches.off(plugin.id, reason)
    await switchOff(this.#core, plugin, reason)
    await this.#catalogue.review()
    return plugin.record()
  }

  readonly remove = async (id: string, options: { readonly keepState?: boolean } = {}): Promise<void> => {
    const plugin = this.#find(id)
    this.#catalogue.forget(plugin)
    const isGone = await withdraw(this.#core, plugin, 'it was removed')
    if (isGone && options.keepState !== true) await this.#forget(plugin)
    await this.#catalogue.review()
  }

  async #forget(plugin: Plugin): Promise<void> {
    await this.#core.switches.on(plugin.id)
    await this.#core.supervisor.quarantines.release(plugin.id)
    await this.#core.choices.pin(plugin.id, undefined)
    await this.#core.choices.release(plugin.id)
    await this.#core.history.forget(plugin.id)
    await this.#core.trials.end(plugin.id)
    await this.#core.uses.forget(plugin.id)
    await this.#core.states.forget(plugin.id)
    await this.#core.directories.forget(plugin.id)
    await plugin.candidate.source.forget?.(plugin.id)
  }

  readonly start = async (id: string): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    if (plugin.troubles !== undefined) plugin.troubles.retryAtMs = 0
    if (plugin.serving === undefined) await Promise.allSettled([this.#core.activate(plugin)])
    return plugin.record()
  }

  readonly refusal: PluginDirectory['refusal'] = async (id, signal) => refusalOf(this.#core, this.#find(id), signal)

  readonly release = async (id: string): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    const { choices, supervisor } = this.#core
    const released = await supervisor.release(plugin)
    if (released === undefined) {
      const state = plugin.state.name
      throw kernelErrors.error('PLUGIN_NOT_QUARANTINED', { plugin: plugin.id, state }, { plugin: plugin.id })
    }
    const hold = choices.held(plugin.id)
    if (hold?.fingerprint === released.fingerprint && hold.why !== 'rolled back') {
      plugin.rejected = undefined
      await choices.release(plugin.id)
      await this.#refresher.refresh()
    }
    await plugin.quiet()
    await this.#catalogue.review()
    return plugin.record()
  }

  readonly rollback = async (id: string, { to }: { readonly to?: string } = {}): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    await rollBack(this.#core, plugin, to, this.#catalogue.offered(plugin.id))
    await this.#refresher.refresh()
    return plugin.record()
  }

  readonly history = async (id: string): Promise<readonly HistoryEntry[]> => this.#core.history.list(this.#find(id).id)

  readonly uses = async (id: string): Promise<PluginUses> => usesOf(this.#core, this.#find(id))

  readonly pin = async (id: string, version: string | undefined): Promise<PluginRecord> => {
    const plugin = this.#find(id)
    const offered = this.#catalogue.offered(plugin.id)
    if (version !== undefined && offered !== undefined) {
      const found = await findVersion(this.#core, plugin.id, { offered, version }, this.#core.stopping)
      if (found === undefined) throw kernelErrors.error('VERSION_GONE', { plugin: plugin.id, version }, { plugin: plugin.id })
    }
    plugin.rejected = undefined
    await this.#core.choices.pin(plugin.id, version)
    if (version !== undefined) await endProbation(this.#core, plugin)
    await this.#refresher.refresh()
    return plugin.record()
  }

  readonly profile = (id: string, kind: ProfileKind, options: ProfileOptions): AsyncIterable<Uint8Array> =>
    takeProfile(this.#find(id), kind, options)

  #find(id: string): Plugin {
    const plugin = this.#lookUp(id)
    if (plugin !== undefined) return plugin
    const suggestion = didYouMean(id, this.#core.plugins.keys())
    throw kernelErrors.error('PLUGIN_UNKNOWN', { plugin: id, suggestion }, { plugin: id })
  }

  /** By id, or by the part after the slash when only one plugin has it. Errors: `PLUGIN_AMBIGUOUS`. */
  #lookUp(id: string): Plugin | undefined {
    const { plugins } = this.#core
    const exact = plugins.get(id)
    if (exact !== undefined || id.includes('/')) return exact
    const candidates = [...plugins.keys()].filter((known) => known.endsWith(`/${id}`))
    const [only] = candidates
    if (candidates.length <= 1) return only === undefined ? undefined : plugins.get(only)
    throw kernelErrors.error('PLUGIN_AMBIGUOUS', {
      name: id,
      candidates: candidates.toSorted((a, b) => (a < b ? -1 : 1)).join(', '),
    })
  }
}
