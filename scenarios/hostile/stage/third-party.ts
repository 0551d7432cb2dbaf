import type { Limits, Times } from '@backplane/kernel'

/**
 * The ceilings of community code, with the slow ones made shorter so that exceeding them does not take long.
 * Source: the defaults per trust level of the threat model.
 */
export const limits: Partial<Limits> = {
  memoryMiB: 192,
  cpuPercent: 50,
  processes: 32,
  openFiles: 256,
  fileBytes: 16 * 1024 ** 2,
  tmpBytes: 8 * 1024 ** 2,
  dataBytes: 16 * 1024 ** 2,
  dataFiles: 1_000,
  concurrency: 32,
  queue: 32,
  timeoutMs: 10_000,
  stallMs: 6_000,
  messageBytes: 1024 ** 2,
  stateBytes: 1024 ** 2,
  outputBytesPerSecond: 64 * 1024,
  outputBurstBytes: 1024 ** 2,
}

/** Waits of the host; shorter than usual where a plugin uses them up. */
export const thirdPartyTimes: Partial<Times> = { readyMs: 4_000, stopMs: 1_000, drainMs: 1_000 }

/** Longest one attack's call may take, ms. */
export const callMs = 600

/** Of the plugin that runs Node once more: a Node has a dozen threads, and each counts. */
export const runnerLimits: Partial<Limits> = { memoryMiB: 384, processes: 64, cpuPercent: 100 }
