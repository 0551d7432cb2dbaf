/** How long a download may take, and how often it is tried. */
export interface DownloadLimits {
  /** One download with its redirects and attempts, ms. Default 300 000. */
  readonly timeoutMs: number
  /** Without a byte, ms. Default 30 000. */
  readonly idleMs: number
  /** Places one after the other that only lead on. Default 5. */
  readonly redirects: number
  /** Before each further attempt after an answer of the 5xx kind, ms. Default two: 500, 2 000. */
  readonly retryDelaysMs: readonly number[]
}

/** What holds unless an option says otherwise. */
export const defaultDownloadLimits: DownloadLimits = {
  timeoutMs: 300_000,
  idleMs: 30_000,
  redirects: 5,
  retryDelaysMs: [500, 2_000],
}
