/** How many failures one address may have. */
export interface FailureLimitOptions {
  readonly perWindow: number
  readonly windowMs: number
  /** Addresses remembered; the one that failed first is forgotten for a new one. */
  readonly addresses: number
}

/** Counts failures by address in fixed windows, in bounded memory. */
export interface FailureLimit {
  /** Counts one; answers the seconds left in the window once there are too many, else undefined. */
  readonly record: (address: string) => number | undefined
}

/** Makes a limit of failures. `now` is milliseconds of a monotonic clock. */
export function failureLimit(options: FailureLimitOptions, now: () => number = () => performance.now()): FailureLimit {
  const windows = new Map<string, { startMs: number; count: number }>()
  return {
    record: (address) => {
      const nowMs = now()
      let window = windows.get(address)
      if (window === undefined || nowMs - window.startMs >= options.windowMs) {
        windows.delete(address)
        const [oldest] = windows.keys()
        if (windows.size >= options.addresses && oldest !== undefined) windows.delete(oldest)
        window = { startMs: nowMs, count: 0 }
        windows.set(address, window)
      }
      window.count += 1
      if (window.count <= options.perWindow) return undefined
      return Math.max(1, Math.ceil((window.startMs + options.windowMs - nowMs) / 1_000))
    },
  }
}
