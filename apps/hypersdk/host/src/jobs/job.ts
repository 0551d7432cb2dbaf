import { dirname } from 'node:path'
import type { LogLevel, PlatformErrorJson } from '@backplane/sdk'
import type { ExportResult } from '@hypersdk/points'
import type { ExportProgress } from '../export/export-input.ts'
import type { JobDefinition } from './job-definition.ts'

/** `pending` also between two tries; the last three are final. */
export type JobStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled'

/** Every status, in the order of a job's life. */
export const jobStatuses: readonly JobStatus[] = ['pending', 'running', 'completed', 'failed', 'cancelled']

/** A job as it is kept and answered. Times are RFC 3339. */
export interface Job {
  readonly definition: JobDefinition
  readonly status: JobStatus
  readonly progress: JobProgress | null
  readonly result: JobResult | null
  /** The reason it failed or waits, in one sentence. */
  readonly error: string | null
  /** The same with code, culprit and hint. */
  readonly failure: PlatformErrorJson | null
  /** Which plugin ran it last; an export ends on the version it began on. */
  readonly plugin: JobPlugin | null
  /** Starts so far. */
  readonly attempts: number
  /** Starts that failed for a passing reason and were followed by another. */
  readonly retries: number
  /** Starts that ended with the daemon's death. */
  readonly crashes: number
  /** While it waits for its next try. */
  readonly next_attempt_at: string | null
  readonly cancel_requested: boolean
  /** Path of the artifact manifest, from the moment the export is complete and only its files' names are missing. */
  readonly manifest: string | null
  readonly started_at: string | null
  readonly completed_at: string | null
  readonly updated_at: string
}

/** The generation that ran a job. */
export interface JobPlugin {
  readonly id: string
  readonly version: string
  readonly generation: number
}

/** How far a job is. Bytes are those of the disks before compression. */
export interface JobProgress {
  readonly phase: string
  readonly current_file: string | null
  readonly current_step: string
  readonly files_downloaded: number
  readonly total_files: number
  readonly bytes_downloaded: number
  readonly bytes_transferred: number
  readonly total_bytes: number | null
  readonly percent_complete: number | null
  /** Seconds. */
  readonly estimated_remaining: number | null
  readonly bytes_per_second: number
  readonly export_method: string
}

/** What a job came to. Sizes and checksum are the host's own findings. */
export interface JobResult {
  readonly vm_name: string
  readonly output_dir: string
  readonly ovf_path: string | null
  readonly files: readonly string[]
  readonly output_files: readonly string[]
  /** Bytes of the disks. */
  readonly total_size: number
  /** Bytes written. */
  readonly compressed_size: number
  readonly format: string
  /** SHA-256 of the main file, 64 hexadecimal digits. */
  readonly checksum: string
  /** Seconds. */
  readonly duration: number
  readonly success: boolean
  readonly export_method: string
  readonly error: string | null
  readonly metadata: Readonly<Record<string, unknown>>
}

/** One line of a job's log; `seq` grows by one per line and is what an event stream resumes from. */
export interface JobLogLine {
  readonly seq: number
  readonly time: string
  readonly level: LogLevel
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** Whether a status is final. */
export function isFinal(status: JobStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}

/** An export's progress as a job shows it. */
export function jobProgress(progress: ExportProgress, method: string): JobProgress {
  return {
    phase: progress.phase,
    current_file: progress.currentFile,
    current_step: progress.currentFile === null ? progress.phase : `${progress.phase} ${progress.currentFile}`,
    files_downloaded: progress.filesDone,
    total_files: progress.filesTotal,
    bytes_downloaded: progress.bytesDone,
    bytes_transferred: progress.bytesDone,
    total_bytes: progress.bytesTotal,
    percent_complete: progress.percent,
    estimated_remaining: progress.etaSeconds,
    bytes_per_second: Math.round(progress.rateBytes),
    export_method: method,
  }
}

/** An export's result as a job shows it. */
export function jobResult(result: ExportResult): JobResult {
  return {
    vm_name: result.vm_name,
    output_dir: dirname(result.files[0] ?? result.output_path),
    ovf_path: result.files.find((file) => file.endsWith('.ovf')) ?? null,
    files: result.files,
    output_files: result.files,
    total_size: result.size,
    compressed_size: result.compressed_size,
    format: result.format,
    checksum: result.checksum,
    duration: result.duration,
    success: true,
    export_method: result.provider,
    error: null,
    metadata: result.metadata,
  }
}
