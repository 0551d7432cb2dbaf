import type { VmConfig } from '@exliar-vfio/points'
import type { DefineDomainStep } from '../changes/step.ts'
import { exliarErrors } from '../errors.ts'
import { domainDiff } from './domain-diff.ts'
import { editDomain } from './edit-domain.ts'
import { readVmConfig, type DeviceFacts } from './vm-config.ts'
import type { Virsh } from './virsh.ts'
import { readXml } from './xml-document.ts'

/** What the hooks before a start made of a configuration. */
export interface PreparedConfig {
  readonly config: VmConfig
  /** Which plugin changed what, in the order they were asked; see `configDifferences`. */
  readonly changes: readonly PluginChange[]
}

/** What one plugin changed: paths such as `features.kvm_hidden`. */
export interface PluginChange {
  readonly plugin: string
  readonly fields: readonly string[]
}

/** Asks every plugin before a start. A veto or a hook that fails rejects, and nothing is started. */
export type PreStart = (config: VmConfig) => Promise<PreparedConfig>

/** What a start would change. */
export interface MachinePreparation {
  readonly uuid: string
  readonly config: VmConfig
  readonly changes: readonly PluginChange[]
  /** The change as a step for the journal; undefined: nothing is to be changed. */
  readonly step: DefineDomainStep | undefined
  /** Unified, without passwords; empty where nothing changes. */
  readonly diff: string
}

/** What preparing needs. */
export interface PrepareOptions {
  readonly virsh: Virsh
  readonly facts: DeviceFacts
  readonly preStart: PreStart
  readonly signal?: AbortSignal
}

/**
 * Asks the hooks and works out what they change; nothing is changed yet. Errors: those of {@link Virsh}, `VM_NOT_STOPPED`,
 * those of `editDomain`, `VM_START_REFUSED` for a machine whose memory was saved, and whatever `preStart` rejects with.
 */
export async function prepareMachine(name: string, options: PrepareOptions): Promise<MachinePreparation> {
  const { virsh, facts, preStart, signal } = options
  const before = await virsh.dumpXml(name, { withPasswords: true }, signal)
  const document = readXml(before)
  const now = readVmConfig(document, facts)
  const { state, reason } = await virsh.state(now.uuid, signal)
  if (state !== 'shut off') throw exliarErrors.error('VM_NOT_STOPPED', { name, state })
  const { config, changes } = await preStart(now)
  const after = editDomain(before, config)
  if (after === before) return { uuid: now.uuid, config, changes, step: undefined, diff: '' }
  if (reason === 'saved') {
    const why = 'its memory was saved, and it would go on with the configuration it had then'
    throw exliarErrors.error('VM_START_REFUSED', { name, reason: why })
  }
  const step = defineStep({ connection: virsh.uri, domain: name, was: before, xml: after }, changes)
  return { uuid: now.uuid, config, changes, step, diff: domainDiff(name, before, after) }
}

type DomainChange = Pick<DefineDomainStep, 'connection' | 'domain' | 'was' | 'xml'>

function defineStep(change: DomainChange, changes: readonly PluginChange[]): DefineDomainStep {
  const plugins = [...new Set(changes.map(({ plugin }) => plugin))]
  const [only] = plugins
  return {
    kind: 'define-domain',
    ...change,
    // One step may be of several; the summary names them all.
    cause: only === undefined ? null : { plugin: only, hook: 'exliar.pre-vm-start' },
    summary: `change the machine ${change.domain}${plugins.length === 0 ? '' : ` for ${plugins.join(', ')}`}`,
    records: 'domain-defined',
  }
}

/** What starting needs beside preparing; the journal is the caller's. */
export interface StartOptions extends PrepareOptions {
  /** Shows what will change, before it does; rejecting stops the start. */
  readonly show: (preparation: MachinePreparation) => Promise<void>
  /** Does the step, journalled, and remembers it where it is to be taken back; see `throughJournal`. */
  readonly define: (step: DefineDomainStep, persist: 'keep' | 'restore') => Promise<void>
  /** Takes back what was remembered of a machine; nothing, where nothing was. */
  readonly withdraw: (uuid: string) => Promise<void>
  /** `restore` (the default): `withdrawAfterRun` is to bring the old configuration back · `keep`: the change lasts. */
  readonly persist?: 'keep' | 'restore'
}

/**
 * Asks the hooks, shows, defines, starts. A machine that does not start has its old configuration again, unless it was to
 * be kept. After the run, `withdrawAfterRun` brings it back. Errors: those of {@link prepareMachine} and of `define`.
 */
export async function startMachine(name: string, options: StartOptions): Promise<MachinePreparation> {
  const { virsh, show, define, withdraw, persist = 'restore', signal } = options
  const preparation = await prepareMachine(name, options)
  await show(preparation)
  if (preparation.step !== undefined) await define(preparation.step, persist)
  try {
    await virsh.start(preparation.uuid, signal)
  } catch (error) {
    if (preparation.step !== undefined && persist === 'restore') await withdraw(preparation.uuid)
    throw error
  }
  return preparation
}

/** What is to be taken back after a run. */
export interface WithdrawOptions extends Pick<StartOptions, 'virsh' | 'withdraw' | 'signal'> {
  readonly uuid: string
}

/**
 * Brings the configuration from before the start back, once the machine has ended; one that runs keeps it. Answers whether
 * the machine had ended. Errors: those of {@link Virsh}, and what `withdraw` rejects with when somebody changed it during
 * the run: it is kept as it is then.
 */
export async function withdrawAfterRun({ virsh, uuid, withdraw, signal }: WithdrawOptions): Promise<boolean> {
  if ((await virsh.state(uuid, signal)).state !== 'shut off') return false
  await withdraw(uuid)
  return true
}
