import { defineHook, defineProvider, optional, stream, unary, type HookPoint } from '@backplane/sdk'
import { z } from 'zod'
import { ExportItem, ExportOptions, ExportRequest, ExportResult } from './export.ts'
import { ProviderConfig, ProviderMetadata } from './provider-config.ts'
import { Snapshot, VmFilter, VmInfo, VmQuery, VmReference } from './virtual-machine.ts'

const Nothing = z.null().or(z.undefined())

/** Snapshots take minutes at some providers, and merging one back as long as the machine wrote. */
const long = { timeoutMs: 6 * 3_600_000 }

const methods = {
  /** Throws when the credentials do not work. */
  validateCredentials: unary(Nothing, Nothing),
  listVms: unary(VmFilter, z.array(VmInfo)),
  /** Throws an error whose code ends in `_NOT_FOUND` when there is no such machine. */
  getVm: unary(VmReference, VmInfo),
  searchVms: unary(VmQuery, z.array(VmInfo)),
  /** Long: the caller's signal is how it ends early. */
  exportVm: stream(ExportRequest, ExportItem, { timeoutMs: 7 * 24 * 3_600_000 }),
  /** Removes what an unfinished export left at the provider (temporary snapshots). Safe to call twice. */
  cleanupExport: optional(unary(z.object({ export_id: z.string() }), Nothing, long)),
  listSnapshots: optional(unary(VmReference, z.array(Snapshot))),
  createSnapshot: optional(unary(z.object({ id: z.string().min(1), name: z.string().min(1) }), Snapshot, long)),
  /** It cannot be taken back, so a plugin that wants it of another asks a person. */
  deleteSnapshot: optional(
    unary(z.object({ id: z.string().min(1), snapshot_id: z.string().min(1) }), Nothing, {
      ...long,
      approval: ({ id, snapshot_id: snapshot }) =>
        `delete the snapshot ${JSON.stringify(snapshot)} of the machine ${JSON.stringify(id)}`,
    }),
  ),
} as const

/** A cloud, hypervisor or directory whose virtual machines can be listed and exported. Opened once per configured instance. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- inferred from the schemas above
export const provider = defineProvider('hypersdk.provider', methods, {
  title: 'A place virtual machines are listed and exported from',
  open: ProviderConfig,
  metadata: ProviderMetadata,
})

/** What is about to be exported; a handler may change options or refuse by throwing. */
export const ExportPlan = z.object({ job_id: z.string(), provider: z.string(), vm: VmInfo, options: ExportOptions })
export type ExportPlan = z.output<typeof ExportPlan>

/** Runs before the first byte; each handler gets the plan as the one before left it. */
export const beforeExport: HookPoint<ExportPlan> = defineHook('hypersdk.before-export', {
  title: 'Change or refuse an export before it starts',
  strategy: 'pipe',
  value: ExportPlan,
  timeoutMs: 30_000,
})

/** Runs after an export ended, well or not. */
export const afterExport: HookPoint<ExportOutcome> = defineHook('hypersdk.after-export', {
  title: 'Told of the end of every export',
  strategy: 'all',
  value: z.object({
    job_id: z.string(),
    status: z.enum(['completed', 'failed', 'cancelled']),
    result: ExportResult.nullable(),
    error: z.string().nullable(),
  }),
  timeoutMs: 30_000,
})

/** How an export ended. */
export interface ExportOutcome {
  job_id: string
  status: 'completed' | 'failed' | 'cancelled'
  result: ExportResult | null
  error: string | null
}
