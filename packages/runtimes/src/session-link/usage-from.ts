import type { Usage } from '@backplane/kernel'

/** What a guest says of its own use, taken only where it has the right form: numbers from 0 up. */
export function usageFrom(answer: unknown): Usage {
  const { cpuMs, heapBytes, stallMs } = Object(answer) as Record<string, unknown>
  return {
    cpuMs: amount(cpuMs),
    memoryBytes: undefined,
    heapBytes: amount(heapBytes),
    processes: undefined,
    openFiles: undefined,
    stallMs: amount(stallMs),
  }
}

function amount(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value : undefined
}
