import type { MetricsSample, VmStats } from '@exliar-vfio/points'

/** How one run went. Names are those of the seed. Source: seed 004, "Performance monitoring plugin". */
export interface RunSummary {
  readonly machine: string
  readonly uuid: string
  /** RFC 3339; null where nobody saw it start. */
  readonly vm_start_time: string | null
  readonly vm_end_time: string
  readonly runtime_seconds: number | null
  /** Percent; null where nothing could be looked at, as with a card that the guest has to itself. */
  readonly avg_gpu_usage: number | null
  /** Percent of all its processors. */
  readonly avg_cpu_usage: number | null
  readonly max_memory_mb: number | null
  /** Looks it is made of. */
  readonly samples: number
  readonly ended_by: VmStats['ended_by']
}

/** What was seen of a run so far, as JSON. */
export interface RunTotals {
  readonly machine: string
  readonly uuid: string
  readonly memory_mib: number
  /** When looking at it began. */
  readonly vm_start_time: string
  /** When the newest sample was taken; null before the first. */
  readonly sampled_at: string | null
  readonly samples: number
  readonly cpu: Sum
  readonly gpu: Sum
  readonly max_memory_mb: number | null
  readonly last: MetricsSample | null
  /** The newest shares of the processors, oldest first, for a chart. */
  readonly recent_cpu: readonly number[]
}

interface Sum {
  readonly total: number
  readonly count: number
}

/** Values a chart shows. */
const chartValues = 120

/** A run that begins now. */
export function beginRun(machine: { name: string; uuid: string; memory_mib: number }, atMs: number): RunTotals {
  return {
    machine: machine.name,
    uuid: machine.uuid,
    memory_mib: machine.memory_mib,
    vm_start_time: new Date(atMs).toISOString(),
    sampled_at: null,
    samples: 0,
    cpu: { total: 0, count: 0 },
    gpu: { total: 0, count: 0 },
    max_memory_mb: null,
    last: null,
    recent_cpu: [],
  }
}

/** The run with one more sample. */
export function addSample(run: RunTotals, sample: MetricsSample, atMs: number): RunTotals {
  const { cpu_percent: cpu, gpu_busy_percent: gpu, memory_mb: memory } = sample
  return {
    ...run,
    sampled_at: new Date(atMs).toISOString(),
    samples: run.samples + 1,
    cpu: plus(run.cpu, cpu),
    gpu: plus(run.gpu, gpu),
    max_memory_mb: memory === null ? run.max_memory_mb : Math.max(run.max_memory_mb ?? 0, memory),
    last: sample,
    recent_cpu: cpu === null ? run.recent_cpu : [...run.recent_cpu, cpu].slice(-chartValues),
  }
}

/** What came of a run; `seen` is undefined for one that this plugin did not see begin. Its times are those of the host. */
export function summarise(seen: RunTotals | undefined, stats: VmStats): RunSummary {
  return {
    machine: stats.name,
    uuid: stats.uuid,
    vm_start_time: stats.started_at,
    vm_end_time: stats.ended_at,
    runtime_seconds: stats.runtime_seconds === null ? null : Math.floor(stats.runtime_seconds),
    avg_gpu_usage: average(seen?.gpu),
    avg_cpu_usage: average(seen?.cpu),
    max_memory_mb: seen === undefined || seen.max_memory_mb === null ? null : Math.round(seen.max_memory_mb),
    samples: seen?.samples ?? 0,
    ended_by: stats.ended_by,
  }
}

/** The summary as it is logged. Source: seed 004, "Performance monitoring plugin". */
export function summaryLine(run: RunSummary): string {
  const parts = [
    `Runtime: ${shown(run.runtime_seconds, 's')}`,
    `Avg GPU Usage: ${shown(run.avg_gpu_usage, '%')}`,
    `Avg CPU: ${shown(run.avg_cpu_usage, '%')}`,
    `Max Memory: ${shown(run.max_memory_mb, 'MB')}`,
  ]
  return `VM Performance: ${parts.join(', ')}`
}

/** A number with its unit, or that it is not known. */
export function shown(value: number | null, unit: string): string {
  return value === null ? 'unknown' : `${value}${unit}`
}

function plus(sum: Sum, value: number | null): Sum {
  return value === null ? sum : { total: sum.total + value, count: sum.count + 1 }
}

/** To one decimal place. */
export function average(sum: Sum | undefined): number | null {
  return sum === undefined || sum.count === 0 ? null : Math.round((sum.total / sum.count) * 10) / 10
}
