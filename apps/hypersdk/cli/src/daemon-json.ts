/* What hyperctl reads of the daemon's JSON; other members pass through `--json` as they are. */

/** How a job stands. */
export type JobStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled'

/** How far a job is. */
export interface JobProgress {
  readonly phase: string
  readonly bytes_downloaded: number
  readonly total_bytes: number | null
  readonly percent_complete: number | null
  /** Seconds. */
  readonly estimated_remaining: number | null
  readonly bytes_per_second: number
}

/** One export. */
export interface Job {
  readonly definition: { readonly id: string; readonly provider: string; readonly vm_id: string; readonly format: string }
  readonly status: JobStatus
  readonly progress: JobProgress | null
  readonly result: { readonly files: readonly string[]; readonly checksum: string; readonly total_size: number } | null
  readonly error: string | null
  readonly failure: { readonly code: string; readonly hint?: string } | null
  readonly started_at: string | null
}

/** One line of a job's log. */
export interface JobLogLine {
  readonly seq: number
  readonly time: string
  readonly level: string
  readonly message: string
}

/** Answer to a submission. */
export interface Submission {
  readonly job_ids: readonly string[]
  readonly accepted: number
  readonly rejected: number
  readonly errors?: readonly { readonly index: number; readonly code: string; readonly error: string; readonly hint?: string }[]
}

/** One virtual machine. */
export interface Vm {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly location: string
  readonly num_cpus: number
  readonly memory_mb: number
  readonly storage_gb: number
}

/** One provider type. */
export interface Provider {
  readonly type: string
  readonly plugin: string
  readonly version: string
  readonly available: boolean
  readonly reason: string | null
  readonly instances: readonly { readonly name: string }[]
}

/** One plugin. */
export interface Plugin {
  readonly id: string
  readonly version: string
  readonly type: string | null
  readonly status: string
  readonly state: string
  readonly tier: string | null
  readonly generation: number
  readonly reason: string | null
  readonly update?: { readonly version: string; readonly failure: { readonly message: string } } | null
}
