import type { CommandOutput, PanelContent } from '@exliar-vfio/points'
import { average, shown, type RunSummary, type RunTotals } from './perf-stats.ts'

type PanelItems = PanelContent['items']

/** Runs a panel shows at most. */
const mostShown = 50

/** The panel `performance`. */
export function performancePanel(running: readonly RunTotals[], runs: readonly RunSummary[]): PanelContent {
  const past: PanelItems =
    runs.length === 0
      ? [{ kind: 'text', text: 'No run has ended yet.', tone: 'muted' }]
      : [
          {
            kind: 'table',
            columns: ['Machine', 'Ended', 'Runtime', 'Avg GPU', 'Avg CPU', 'Max memory'],
            rows: runs.slice(0, mostShown).map((run) => cells(run).map((cell) => cell.slice(0, 400))),
          },
          { kind: 'action', id: 'clear', label: 'Forget past runs' },
        ]
  const nothing: PanelItems = [{ kind: 'text', text: 'No machine is watched now.', tone: 'muted' }]
  return {
    items: [
      ...(running.length === 0 ? nothing : running.slice(0, 20).flatMap((run) => machineItems(run))),
      { kind: 'heading', text: 'Past runs' },
      ...past,
    ],
  }
}

/** The command `perf`. */
export function perfOutput(running: readonly RunTotals[], runs: readonly RunSummary[]): CommandOutput {
  const now = running.map((run) => {
    const { cpu_percent: cpu = null, gpu_busy_percent: gpu = null, memory_mb: memory = null } = run.last ?? {}
    const used = `GPU ${shown(gpu, '%')}, CPU ${shown(cpu, '%')}, memory ${shown(memory, 'MB')}`
    return `${run.machine} is watched since ${run.vm_start_time}: ${used}`
  })
  const header = ['MACHINE', 'ENDED', 'RUNTIME', 'AVG GPU', 'AVG CPU', 'MAX MEMORY']
  const past = runs.length === 0 ? ['No run has ended yet.'] : aligned([header, ...runs.map(cells)])
  const data = { running: running.map(told), runs: [...runs] }
  return { text: [...now, ...(now.length === 0 ? [] : ['']), ...past].join('\n').slice(0, 1_000_000), data }
}

/** A run that goes on, by the names of one that has ended. */
function told(run: RunTotals): object {
  return {
    machine: run.machine,
    uuid: run.uuid,
    vm_start_time: run.vm_start_time,
    avg_gpu_usage: average(run.gpu),
    avg_cpu_usage: average(run.cpu),
    max_memory_mb: run.max_memory_mb,
    samples: run.samples,
    last: run.last,
  }
}

function machineItems(run: RunTotals): PanelItems {
  const { cpu_percent: cpu = null, gpu_busy_percent: gpu = null, memory_mb: memory = null } = run.last ?? {}
  const gauge = (label: string, value: number | null, most: number, unit: string): PanelItems =>
    value === null ? [] : [{ kind: 'gauge', label, value: Math.min(value, most), most, unit }]
  return [
    { kind: 'heading', text: run.machine.slice(0, 200) },
    ...(run.last === null ? [{ kind: 'text' as const, text: 'Nothing was seen of it yet.', tone: 'muted' as const }] : []),
    ...gauge('CPU', cpu, 100, '%'),
    ...gauge('GPU', gpu, 100, '%'),
    ...gauge('Memory', memory, Math.max(run.memory_mib, memory ?? 0, 1), 'MB'),
    ...(run.recent_cpu.length < 2 ? [] : [{ kind: 'chart' as const, label: 'CPU', values: [...run.recent_cpu], unit: '%' }]),
  ]
}

function cells(run: RunSummary): string[] {
  return [
    run.machine,
    run.vm_end_time,
    shown(run.runtime_seconds, 's'),
    shown(run.avg_gpu_usage, '%'),
    shown(run.avg_cpu_usage, '%'),
    shown(run.max_memory_mb, 'MB'),
  ]
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
