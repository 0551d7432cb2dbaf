import type { Lease } from '@backplane/kernel'
import type { LogFields, LogLevel, OpenedClient } from '@backplane/sdk'
import type { ExportOptions, provider, VmInfo } from '@hypersdk/points'

/** All `runExport` needs for one attempt at one export. Nothing in it is closed or disposed by the export. */
export interface ExportInput {
  /** Stable over attempts, 1 to 64 of `A-Z a-z 0-9 _ -`. Names the unfinished files, and the export at the provider. */
  readonly exportId: string
  /** Normalised. Its `id` is what the provider exports, its `name` what the files are called. */
  readonly vm: VmInfo
  /** As the before-export hook left them. */
  readonly options: ExportOptions
  /** Absolute, local; made when missing. */
  readonly outputDirectory: string
  readonly lease: Lease<typeof provider>
  readonly client: OpenedClient<typeof provider>
  /** Abort it to cancel. The export then still cleans up before it rejects with the signal's reason. */
  readonly signal: AbortSignal
  /**
   * Whether the signal's reason only puts the export off: then what is safely written stays for the next call with this
   * `exportId`. Default: never. Must not throw.
   */
  readonly isPutOff?: (reason: unknown) => boolean
  /** At most ten a second, and always a last one that shows the end. Must not throw. */
  readonly onProgress?: (progress: ExportProgress) => void
  /**
   * The files are about to get their names; from here on the signal is not heeded. Told where the manifest will be: what
   * `finishExport` finishes the export by, should the process die. Must not throw.
   */
  readonly onDecided?: (manifest: string) => void
  /** What is worth telling in the job's log. Must not throw. */
  readonly onLog?: (line: ExportLogLine) => void
  readonly limits?: Partial<ExportLimits>
}

/** How far an export is. Bytes are those of the disks before compression, holes included. */
export interface ExportProgress {
  /** `starting`, `exporting`, `finishing`, `completed`; before bytes flow, the plugin's own word such as `snapshot`. */
  readonly phase: string
  readonly bytesDone: number
  /** Null while a disk of unknown size is being exported. */
  readonly bytesTotal: number | null
  /** 0 to 100; null while the total is unknown. 100 only in phase `completed`. */
  readonly percent: number | null
  /** Name of the file being written, without its directory. */
  readonly currentFile: string | null
  /** Bytes a second, smoothed over some seconds. */
  readonly rateBytes: number
  /** Null while it cannot be told. */
  readonly etaSeconds: number | null
  readonly filesDone: number
  /** Disks declared so far; the plugin may declare more. */
  readonly filesTotal: number
}

/** One line for the job's log. */
export interface ExportLogLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields?: LogFields
}

/** What one export may take. */
export interface ExportLimits {
  /** Disks of one machine. Default 64. */
  readonly disks: number
  /** One disk before compression, bytes. Default 64 TiB. */
  readonly diskBytes: number
  /** Items that bring no bytes (`vm`, `warning`, empty `bytes`). Default 10,000. */
  readonly notes: number
  /** Longest without an item or a progress report from the plugin, ms. Default 1 h. */
  readonly stallMs: number
  /** How long the plugin's stream may take to end once it was told to, ms. Default 5,000. */
  readonly endMs: number
  /** At least between two notes of how much is safely written, ms. Default 500. */
  readonly checkpointMs: number
  /** For the plugin's `cleanupExport`, ms. Default 60,000. */
  readonly cleanupMs: number
}
