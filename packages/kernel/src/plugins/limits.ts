import type { ManifestLimits } from '@backplane/sdk'
import type { Times } from '../kernel.ts'
import type { Limits, TrustLevel } from '../ports.ts'
import { durationMs, sizeBytes } from '../quantity.ts'

/** Ceilings of a plugin when the host states none. */
export const defaultLimits: Limits = Object.freeze({
  memoryMiB: 256,
  cpuPercent: 100,
  processes: 64,
  openFiles: 256,
  fileBytes: 256 * 1024 ** 2,
  tmpBytes: 32 * 1024 ** 2,
  dataBytes: 256 * 1024 ** 2,
  dataFiles: 2_000,
  concurrency: 256,
  queue: 1_024,
  timeoutMs: 60_000,
  stallMs: 10_000,
  messageBytes: 8 * 1024 ** 2,
  stateBytes: 16 * 1024 ** 2,
  outputBytesPerSecond: 1024 ** 2,
  outputBurstBytes: 4 * 1024 ** 2,
})

const mebibyte = 1024 ** 2

/**
 * Ceilings of a plugin when neither host nor operator state any, by how far it is trusted; the less, the narrower. What is
 * built in is held to the widest. Source: the defaults per trust level of the threat model.
 */
export function limitsFor(trust: TrustLevel): Limits {
  switch (trust) {
    case 'built-in':
      return defaultLimits
    case 'first-party':
      return { ...defaultLimits, openFiles: 512, tmpBytes: 64 * mebibyte, timeoutMs: 30_000 }
    case 'verified':
      return { ...defaultLimits, ...narrow, processes: 32, concurrency: 128, timeoutMs: 30_000, messageBytes: 4 * mebibyte }
    case 'community':
      return {
        ...defaultLimits,
        ...narrow,
        memoryMiB: 192,
        cpuPercent: 50,
        processes: 32,
        dataFiles: 1_000,
        concurrency: 32,
        timeoutMs: 10_000,
        messageBytes: mebibyte,
        outputBytesPerSecond: mebibyte / 16,
      }
  }
}

const narrow: Partial<Limits> = {
  fileBytes: 64 * mebibyte,
  dataBytes: 64 * mebibyte,
  outputBytesPerSecond: mebibyte / 4,
  outputBurstBytes: mebibyte,
}

/** Waits of a kernel when the host states none; what each is for is said at {@link Times}. */
export const defaultTimes: Times = Object.freeze({
  readyMs: 10_000,
  drainMs: 30_000,
  leaseMs: 86_400_000,
  stopMs: 5_000,
  rescanMs: 60_000,
  proveMs: 5_000,
  probationMs: 60_000,
  approvalMs: 600_000,
})

/**
 * What one plugin may use: what its manifest asks for, never above the host's ceiling; what the operator wrote for this
 * plugin wins over both.
 */
export function effectiveLimits(
  asked: ManifestLimits | undefined,
  ceilings: Partial<Limits>,
  { trust, settings = {} }: { readonly trust: TrustLevel; readonly settings?: Partial<Limits> | undefined },
): Limits {
  const host = { ...limitsFor(trust), ...ceilings }
  const memoryBytes = asked?.memory === undefined ? undefined : sizeBytes(asked.memory)
  const limits = {
    ...host,
    memoryMiB: smaller(memoryBytes === undefined ? undefined : Math.ceil(memoryBytes / 1024 ** 2), host.memoryMiB),
    cpuPercent: smaller(asked?.cpuPercent, host.cpuPercent),
    processes: smaller(asked?.processes, host.processes),
    openFiles: smaller(asked?.openFiles, host.openFiles),
    tmpBytes: smaller(asked?.tmp === undefined ? undefined : sizeBytes(asked.tmp), host.tmpBytes),
    dataBytes: smaller(asked?.data === undefined ? undefined : sizeBytes(asked.data), host.dataBytes),
    concurrency: smaller(asked?.concurrency, host.concurrency),
    timeoutMs: smaller(asked?.timeout === undefined ? undefined : durationMs(asked.timeout), host.timeoutMs),
    stateBytes: smaller(asked?.state === undefined ? undefined : sizeBytes(asked.state), host.stateBytes),
    ...settings,
  }
  return { ...limits, concurrency: Math.max(1, limits.concurrency) }
}

function smaller(asked: number | undefined, ceiling: number): number {
  return asked === undefined ? ceiling : Math.min(asked, ceiling)
}
