import type { Kernel } from '@backplane/kernel'
import { beforeExport, ExportOptions, type ExportPlan, type ExportResult } from '@hypersdk/points'
import type { ExportsConfig } from '../config/host-config.ts'
import { restoreReplaced } from '../export/replaced-files.ts'
import { runExport } from '../export/run-export.ts'
import { sweepPartials } from '../export/sweep-partials.ts'
import { findMachine } from '../providers/find-machine.ts'
import type { ProviderRegistry } from '../providers/provider-registry.ts'
import type { JobLedger } from './job-ledger.ts'
import { exportTarget } from './job-target.ts'
import { jobProgress, type Job } from './job.ts'

/** For telling the provider to free what an abandoned export left, ms. */
const cleanupMs = 60_000

/** What running a job needs. */
export interface JobSurroundings {
  readonly kernel: Kernel
  readonly providers: ProviderRegistry
  readonly ledger: JobLedger
  readonly exports: ExportsConfig
}

/** How one try at a job ends early. */
export interface JobTry {
  readonly signal: AbortSignal
  /** From here on it is too late. */
  readonly onDecided: (manifest: string) => void
  /** Whether the signal's reason only puts the job off. */
  readonly isPutOff: (reason: unknown) => boolean
}

/**
 * One try at one job: opens its provider, asks the before-export hooks, exports. The use of the provider is held from
 * beginning to end, so the export ends on the plugin version it began on. After `onDecided` it cannot be cancelled.
 */
export async function attemptJob(
  job: Job,
  around: JobSurroundings,
  { signal, onDecided, isPutOff }: JobTry,
): Promise<ExportResult> {
  const { ledger, providers } = around
  const { definition } = job
  const { id } = definition
  await using use = await providers.use(definition.provider, signal)
  const { plugin, version, generation } = use.lease
  ledger.change(id, { plugin: { id: plugin, version, generation } })
  ledger.log(id, 'info', `exports with ${plugin} ${version}`, { instance: use.instance, generation })
  const deadlineMs = providers.callTimeoutMs(use.type)
  const vm = await findMachine(use, definition.vm_id, { signal, deadlineMs })
  const plan = await decidePlan({ job_id: id, provider: use.type, vm, options: optionsOf(job) }, around, signal)
  const outputDirectory = await exportTarget(plan.options.output_path, id, around.exports)
  if (outputDirectory !== definition.output_dir) {
    ledger.log(id, 'info', `a hook sends the export to ${outputDirectory}`)
    ledger.change(id, { definition: { ...definition, output_dir: outputDirectory, output_path: outputDirectory } })
  }
  // Awaited here, so that the use is held until the export has ended.
  return await runExport({
    exportId: id,
    vm: plan.vm,
    options: plan.options,
    outputDirectory,
    lease: use.lease,
    client: use.client,
    signal,
    onDecided,
    isPutOff,
    onProgress: (progress) => ledger.progress(id, jobProgress(progress, use.type)),
    onLog: (line) => ledger.log(id, line.level, line.message, line.fields),
  })
}

/**
 * Clears up after a job that nobody will try again: what it left at the provider and its unfinished files. What cannot
 * be cleared is told in the job's log. Never throws.
 */
export async function clearRemains(job: Job, around: JobSurroundings): Promise<void> {
  const { id, provider, output_dir } = job.definition
  try {
    await using use = await around.providers.use(provider, AbortSignal.timeout(cleanupMs))
    if (use.client.has('cleanupExport')) await use.client.cleanupExport({ export_id: id }, { deadlineMs: cleanupMs })
  } catch (error) {
    around.ledger.log(id, 'warn', `the provider was not told to clear up: ${messageOf(error)}`)
  }
  try {
    await restoreReplaced(output_dir, id)
    const removed = await sweepPartials(output_dir, id)
    if (removed.length > 0) around.ledger.log(id, 'info', 'removed unfinished files', { files: removed })
  } catch (error) {
    around.ledger.log(id, 'warn', `unfinished files may be left in ${output_dir}: ${messageOf(error)}`)
  }
}

async function decidePlan(plan: ExportPlan, around: JobSurroundings, signal: AbortSignal): Promise<ExportPlan> {
  const outcome = await around.kernel.emit(beforeExport, plan, { signal })
  for (const change of outcome.changes) {
    around.ledger.log(plan.job_id, 'info', `${change.plugin} changed the plan`, { hook: change.name })
  }
  // The machine is the job's; a hook may change only how it is exported.
  return { ...plan, options: outcome.value.options }
}

function optionsOf(job: Job): ExportOptions {
  const { definition } = job
  return ExportOptions.parse({
    ...definition.options,
    output_path: definition.output_dir,
    format: definition.format,
    compress: definition.compress,
    metadata: definition.metadata,
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
