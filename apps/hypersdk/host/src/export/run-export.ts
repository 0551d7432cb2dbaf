import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { PlatformError } from '@backplane/sdk'
import { provider, type ExportRequest, type ExportResult } from '@hypersdk/points'
import type { ArtifactManifest } from './artifact-manifest.ts'
import { BlockPool } from './block-pool.ts'
import { describeExport, exportResult } from './describe-export.ts'
import { DiskReceiver, type ReceivedExport } from './disk-receiver.ts'
import type { exportErrors } from './errors.ts'
import type { ExportInput, ExportLimits } from './export-input.ts'
import { claimTarget, exportTarget, makeDirectory, refuseExisting, type ExportTarget } from './export-target.ts'
import { ExportJournal, readJournal } from './export-journal.ts'
import { ExportWatch, settledWithin } from './export-watch.ts'
import { Hasher } from './hasher.ts'
import { ProgressMeter } from './progress-meter.ts'
import { finishEarlier } from './finish-export.ts'
import { beginAttempt, placementOf, publish } from './publish.ts'
import { PrefixLost } from './sparse-file.ts'
import { StagingDirectory } from './staging-directory.ts'
import { sweepPartials } from './sweep-partials.ts'

/** Between the plugin and the disk, MiB. */
const blocks = 8

const defaultLimits: ExportLimits = {
  disks: 64,
  diskBytes: 64 * 1024 ** 4,
  notes: 10_000,
  stallMs: 3_600_000,
  endMs: 5_000,
  checkpointMs: 500,
  cleanupMs: 60_000,
}

/**
 * Exports one machine into files of the output directory: disks first, under names that end in `.partial-<exportId>`,
 * then the artifact manifest, all renamed when all are complete. When it rejects, nothing is left there, and the plugin
 * was asked to clean up at the provider.
 *
 * After a crash, call it again with the same `exportId`: an attempt that had all its disks complete is finished without
 * exporting again. Of one that had not, what is safely written is gone on with where the provider can and its disk is the
 * same still; everything else that it left is cleared.
 *
 * Errors: the catalogue of `exportErrors`; what the plugin's stream failed with; the reason of the signal.
 */
export async function runExport(input: ExportInput): Promise<ExportResult> {
  input.signal.throwIfAborted()
  const target = exportTarget(input)
  using _claim = claimTarget(target)
  await makeDirectory(target)
  const earlier = await takeUp(input, target)
  const manifest = earlier instanceof ExportJournal ? await goOn(input, target, earlier) : earlier
  return exportResult(manifest, join(target.directory, target.names.manifest))
}

/** What an earlier attempt finished, or how far it was. */
async function takeUp(input: ExportInput, target: ExportTarget): Promise<ArtifactManifest | ExportJournal> {
  const onDecided = (): void => decided(input, target)
  const manifest = await finishEarlier(placementOf(target), input.signal, onDecided).catch(async (error: unknown) => {
    await abandon(input, target)
    throw error
  })
  const journal = await readJournal(target, input.vm.id)
  const kept = manifest === undefined ? journal.files : new Set<string>()
  const removed = await sweepPartials(target.directory, target.exportId, kept)
  if (manifest !== undefined) {
    input.onLog?.({ level: 'info', message: 'an earlier attempt had the export complete' })
    return manifest
  }
  if (kept.size > 0) {
    const disks = Object.fromEntries(journal.disks.map(({ disk, offset_bytes }) => [disk, offset_bytes]))
    input.onLog?.({ level: 'info', message: 'an attempt that did not end has safely written some', fields: { disks } })
  } else if (removed.length > 0) {
    input.onLog?.({ level: 'warn', message: 'starting again after an attempt that did not end', fields: { removed } })
  }
  if (kept.size > 0 || removed.length > 0) await cleanUpAtProvider(input)
  for (const name of [target.names.manifest, target.names.disk(1)]) await refuseExisting(target, name)
  return journal
}

/** Exports what is missing; all of it when what was written turns out not to be there as it was noted. */
async function goOn(input: ExportInput, target: ExportTarget, journal: ExportJournal): Promise<ArtifactManifest> {
  try {
    return await attempt(input, target, journal)
  } catch (error) {
    if (!(error instanceof PrefixLost)) throw error
    input.onLog?.({ level: 'warn', message: `starting again: ${error.message}` })
    return attempt(input, target, new ExportJournal(target, input.vm.id, []))
  }
}

async function attempt(input: ExportInput, target: ExportTarget, journal: ExportJournal): Promise<ArtifactManifest> {
  const startedMs = performance.now()
  const limits = { ...defaultLimits, ...input.limits }
  using meter = new ProgressMeter((progress) => input.onProgress?.(progress))
  using watch = new ExportWatch({ caller: input.signal, plugin: input.lease.signal, ...limits })
  watch.signal.throwIfAborted()
  try {
    await beginAttempt(target)
    const received = await receive(input, target, { limits, meter, watch, journal })
    meter.phase('finishing')
    const manifest = describeExport(input, target, received, (performance.now() - startedMs) / 1000)
    watch.signal.throwIfAborted()
    decided(input, target)
    await publish(target, manifest)
    await sweepPartials(target.directory, target.exportId).catch(() => {})
    meter.close('completed')
    return manifest
  } catch (error) {
    meter.close('unfinished')
    const isPutOff = input.signal.aborted && input.isPutOff?.(input.signal.reason) === true
    await abandon(input, target, isPutOff ? journal.files : undefined)
    throw blame(watch.signal.aborted ? watch.signal.reason : error, input.lease.plugin)
  }
}

function decided({ onDecided }: ExportInput, { directory, names }: ExportTarget): void {
  onDecided?.(join(directory, names.manifest))
}

interface Attempt {
  readonly limits: ExportLimits
  readonly meter: ProgressMeter
  readonly watch: ExportWatch
  readonly journal: ExportJournal
}

/** Everything of this call is closed and removed when it settles, the staging directory too. */
async function receive(input: ExportInput, target: ExportTarget, work: Attempt): Promise<ReceivedExport> {
  const { limits, meter, watch, journal } = work
  const log = input.onLog ?? (() => {})
  const { signal } = watch
  await using staging = await StagingDirectory.create(input.lease.exchangeDirectory, (error) =>
    log({ level: 'error', message: 'could not remove a staging directory', fields: { error } }),
  )
  const pool = new BlockPool(blocks)
  await using hasher = new Hasher(pool.memory)
  await using receiver = new DiskReceiver({ target, limits, pool, hasher, staging, meter, signal, journal, log })
  const stream = input.client.exportVm(exportRequest(input, staging, journal), {
    signal,
    onProgress: (progress) => {
      watch.alive()
      meter.plugin(progress)
    },
  })
  try {
    for await (const item of watch.items(stream)) await receiver.take(item)
    return await receiver.end(input.vm.name)
  } catch (error) {
    watch.abort(error)
    throw error
  }
}

function exportRequest({ exportId, vm, options }: ExportInput, staging: StagingDirectory, journal: ExportJournal): ExportRequest {
  const resume = journal.disks.map(({ disk, etag, offset_bytes }) => ({ disk, etag, offset_bytes }))
  return {
    export_id: exportId,
    id: vm.id,
    format: options.format,
    staging_dir: staging.path,
    include_snapshots: options.include_snapshots,
    remove_cdrom: options.remove_cdrom,
    metadata: options.metadata,
    ...(resume.length === 0 ? {} : { resume }),
  }
}

/** Takes away what an attempt left, here (except `kept`) and at the provider. Never rejects. */
async function abandon(input: ExportInput, { directory, exportId }: ExportTarget, kept?: ReadonlySet<string>): Promise<void> {
  // The files go last: while they are there, a daemon that dies here knows that there is something to clean up.
  await cleanUpAtProvider(input)
  await sweepPartials(directory, exportId, kept).catch((error: unknown) =>
    input.onLog?.({ level: 'error', message: 'could not remove unfinished files', fields: { directory, error } }),
  )
}

/** Never rejects: what it cannot clean up is logged, and the export's own error is the one that counts. */
async function cleanUpAtProvider({ client, exportId, limits, onLog }: ExportInput): Promise<void> {
  if (!client.has('cleanupExport')) return
  const deadlineMs = limits?.cleanupMs ?? defaultLimits.cleanupMs
  // A signal of its own: the one of the export may be what ended it.
  const cleaned = await settledWithin(client.cleanupExport({ export_id: exportId }, { deadlineMs }), deadlineMs)
  onLog?.(
    cleaned
      ? { level: 'info', message: 'cleaned up at the provider' }
      : { level: 'error', message: 'could not clean up at the provider: temporary snapshots may be left there' },
  )
}

const aboutPlugin = new Set<string>([
  'EXPORT_NO_DISKS', 'EXPORT_INCOMPLETE', 'EXPORT_TOO_MUCH', 'EXPORT_OUT_OF_ORDER', 'EXPORT_UNKNOWN_DISK', 'EXPORT_DISK_REPEATED',
  'EXPORT_FORMAT_MISMATCH', 'EXPORT_NOT_SELF_CONTAINED', 'EXPORT_LIMIT_EXCEEDED', 'EXPORT_FILE_UNSAFE', 'EXPORT_STALLED', 'EXPORT_PLUGIN_LOST',
] satisfies (keyof typeof exportErrors.specs)[]) // prettier-ignore

/** Names the plugin in an error that its stream caused. */
function blame(error: unknown, plugin: string): unknown {
  if (!(error instanceof PlatformError) || !aboutPlugin.has(error.code) || error.plugin !== undefined) return error
  const { code, message, hint, retryable, details, cause } = error
  return new PlatformError(code, message, { plugin, point: provider.id, hint, retryable, details, cause })
}
