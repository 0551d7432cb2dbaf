import { defineProvider, unary } from '@backplane/sdk'
import { z } from 'zod'
import { Bdf, GpuDevice, PciDevice } from './devices.ts'
import { KernelParameter } from './kernel-parameter.ts'
import { SystemInfo } from './system-info.ts'

/*
 * The core's services. The host itself provides each under the name `core`; a plugin uses them with
 * `scope.use(devices, 'core')`. What changes the machine asks a person first, and is journalled with the plugin's name.
 * Source: seed 004, "Plugin Context".
 */

const Nothing = z.null()

/** What machine this is. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const systemService = defineProvider(
  'exliar.system',
  { info: unary(Nothing, SystemInfo) },
  { title: 'What machine this is' },
)

/** Its PCI functions and graphics adapters. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const deviceService = defineProvider(
  'exliar.devices',
  {
    list: unary(Nothing, z.array(PciDevice), { permission: 'pci:read' }),
    gpus: unary(Nothing, z.array(GpuDevice), { permission: 'pci:read' }),
    /** Errors: `DEVICE_UNKNOWN`. */
    get: unary(z.object({ bdf: Bdf }), PciDevice, { permission: 'pci:read' }),
  },
  { title: 'The PCI functions of this machine' },
)

/** Binds single functions now, until the next start of the machine. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const vfioService = defineProvider(
  'exliar.vfio',
  {
    /**
     * Errors: `DEVICE_UNKNOWN`, `BIND_REFUSED`, `BIND_FAILED` (the device is as it was), `BIND_BLOCKED` (its driver does not let go),
     * `CHANGE_DURING_APPLY`, `CHANGES_BUSY`.
     */
    bind: unary(z.object({ bdf: Bdf }), PciDevice, {
      permission: 'vfio:bind',
      approval: ({ bdf }) => `take ${bdf} away from its driver and bind it to vfio-pci`,
    }),
    /** Gives it back to the driver it would have by itself. Errors: as `bind`. */
    unbind: unary(z.object({ bdf: Bdf }), PciDevice, {
      permission: 'vfio:bind',
      approval: ({ bdf }) => `take ${bdf} away from vfio-pci and give it back to its own driver`,
    }),
  },
  { title: 'Bind functions to VFIO' },
)

/** One that stands there, whoever wrote it. */
const StandingParameter = z.string().regex(/^[^\s"'\\]{1,200}$/, 'is no kernel parameter')

/** Changes what the kernel is started with, from the next start of the machine on. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const bootService = defineProvider(
  'exliar.boot',
  {
    /** What the bootloader's configuration has now. */
    parameters: unary(Nothing, z.array(z.string())),
    add: unary(z.object({ parameters: z.array(KernelParameter).min(1).max(20) }), z.array(z.string()), {
      permission: 'boot:edit',
      approval: ({ parameters }) => `start the kernel with ${parameters.join(' ')}`,
    }),
    remove: unary(z.object({ parameters: z.array(StandingParameter).min(1).max(20) }), z.array(z.string()), {
      permission: 'boot:edit',
      approval: ({ parameters }) => `start the kernel without ${parameters.join(' ')}`,
    }),
  },
  { title: "Change the kernel's command line" },
)

/** One change that can be taken back, as the journal keeps it. Source: seed 004 and its `StateTracker`. */
export const RecordedChange = z.object({
  id: z.int().positive(),
  /** RFC 3339. */
  at: z.string(),
  kind: z.enum([
    'file-modified',
    'kernel-param-added',
    'kernel-param-removed',
    'module-loaded',
    'driver-bound',
    'driver-unbound',
    'command-run',
    'domain-defined',
  ]),
  /** What was changed, in words. */
  summary: z.string(),
  /** Plugin and hook that caused it; null: the host by itself. */
  plugin: z.string().nullable(),
  hook: z.string().nullable(),
  state: z.enum(['planned', 'done', 'undone', 'kept']),
  /** What a person is to know of it, such as that its program was left out. */
  notes: z.array(z.string()),
})
export type RecordedChange = z.output<typeof RecordedChange>

/** What was changed on this machine and not taken back. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const changeService = defineProvider(
  'exliar.changes',
  { list: unary(Nothing, z.array(RecordedChange)) },
  { title: 'The journal of what was changed' },
)

/** What a machine uses now. What cannot be looked at from here is null. */
export const MetricsSample = z.object({
  /** Of all its processors since the sample before; 100: none of them idle. Null for the first sample. */
  cpu_percent: z.number().nonnegative().nullable(),
  /** Memory its hypervisor holds, MB. */
  memory_mb: z.number().nonnegative().nullable(),
  /** Of its busiest GPU. A card that a guest has to itself tells the host nothing: null. */
  gpu_busy_percent: z.number().nonnegative().nullable(),
})
export type MetricsSample = z.output<typeof MetricsSample>

/** What machines use, for plugins that see neither the hypervisor's process nor its files. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const metricsService = defineProvider(
  'exliar.metrics',
  {
    /** Errors: `DOMAIN_NOT_RUNNING`. */
    sample: unary(z.object({ domain: z.string().min(1) }), MetricsSample, { permission: 'vm:read', timeoutMs: 5_000 }),
  },
  { title: 'What virtual machines use while they run' },
)
