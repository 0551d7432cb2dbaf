import { PlatformError, type Call } from '@backplane/sdk'
import type { GpuDevice, MetricsSample, PciDevice, SystemInfo } from '@exliar-vfio/points'
import { apply } from '../changes/apply.ts'
import { openChanges, readJournal, type ChangesOptions } from '../changes/open-changes.ts'
import { recordedChanges } from '../changes/recorded-changes.ts'
import type { Step } from '../changes/step.ts'
import { parametersOf, type LineChange } from '../boot/kernel-line.ts'
import { readBootSetup } from '../boot/read-boot-setup.ts'
import { describeMachine } from '../devices/describe-machine.ts'
import { detectSystem } from '../system/detect-system.ts'
import { exliarErrors } from '../errors.ts'
import type { CoreServices } from '../plugins/core-services.ts'
import { bootChange } from './boot-change.ts'
import { domainSamples } from './domain-samples.ts'

/** The hook that a plugin is in, by its id; undefined: in none. */
export type HookOf = (plugin: string) => string | undefined

/**
 * The services of the program over one machine. Changes are journalled with the plugin that asked and the hook it was in; in
 * none of them, with the service.
 */
export function machineServices(options: ChangesOptions, hookOf: HookOf): CoreServices {
  const { tree } = options
  const devices = async (): Promise<readonly PciDevice[]> => describeMachine(tree).devices
  const device = async (bdf: string): Promise<PciDevice> => {
    const found = (await devices()).find((one) => one.bdf === bdf)
    if (found === undefined) throw exliarErrors.error('DEVICE_UNKNOWN', { bdf })
    return found
  }
  const change = changesInTurn(options)
  const bind = (driver: 'vfio-pci' | null) => (bdf: string, call: Call) =>
    change(call, async (applying) => {
      const { driver: now } = await device(bdf)
      const summary =
        driver === null ? `give ${bdf} back to its own driver` : `take ${bdf} from ${now ?? 'nobody'} and bind it to ${driver}`
      const records = driver === null ? ('driver-unbound' as const) : ('driver-bound' as const)
      const cause = { plugin: call.caller, hook: hookOf(call.caller) ?? 'exliar.vfio' }
      if (now !== driver) await applying(summary, [{ kind: 'bind-device', bdf, driver, cause, summary, records }])
      return device(bdf)
    })
  const parameters = async (): Promise<readonly string[]> => {
    const [line] = readBootSetup(tree, detectSystem(tree).bootloader).lines
    return line === undefined ? [] : parametersOf(line)
  }
  const edit = (wanted: LineChange, call: Call): Promise<readonly string[]> =>
    change(call, async (applying) => {
      const cause = { plugin: call.caller, hook: hookOf(call.caller) ?? 'exliar.boot' }
      const steps = bootChange(tree, detectSystem(tree).bootloader, wanted, cause)
      await applying(`change the kernel's command line for ${call.caller}`, steps)
      return parameters()
    })
  const samples = domainSamples()
  return {
    system: async (): Promise<SystemInfo> => detectSystem(tree),
    devices,
    gpus: async (): Promise<readonly GpuDevice[]> => describeMachine(tree).gpus,
    bind: bind('vfio-pci'),
    unbind: bind(null),
    parameters,
    addParameters: (add, call) => edit({ add, remove: [] }, call),
    removeParameters: (remove, call) => edit({ add: [], remove }, call),
    changes: async () => recordedChanges(readJournal(tree)),
    metrics: (domain): Promise<MetricsSample> => samples(domain),
  }
}

type Changing = <T>(call: Call, work: (apply: Applying) => Promise<T>) => Promise<T>

/** One after the other: each has the machine for itself while it is changed. */
function changesInTurn(options: ChangesOptions): Changing {
  let before: Promise<unknown> = Promise.resolve()
  return ({ caller, signal }, work) => {
    const done = before.then(() => {
      // Whoever was told meanwhile that it failed must not have it done after all.
      signal.throwIfAborted()
      return work(applyingTo(options, caller))
    })
    before = done.catch(() => undefined)
    return done
  }
}

type Applying = (title: string, steps: readonly Step[]) => Promise<void>

/** Errors: `CHANGE_DURING_APPLY` where this very program has the machine, `CHANGES_BUSY` where another has. */
function applyingTo(options: ChangesOptions, plugin: string): Applying {
  return async (title, steps) => {
    if (steps.length === 0) return
    await using changes = await openChanges(options).catch((error: unknown) => {
      const owner = error instanceof PlatformError && error.code === 'CHANGES_BUSY' ? error.details : undefined
      if (Reflect.get(Object(owner), 'pid') !== process.pid) throw error
      throw exliarErrors.error('CHANGE_DURING_APPLY', { plugin }, { cause: error })
    })
    const applied = await apply(changes, { title, stages: [{ subject: null, steps }] })
    if (applied.kind === 'rolled-back') throw applied.error
  }
}
