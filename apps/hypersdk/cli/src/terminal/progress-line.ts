import type { JobProgress } from '../daemon-json.ts'
import { bytesText, clipped, printable, secondsText } from '@backplane/terminal'

const barWidth = 24

/** One line that says how far an export is: bar, percent, bytes, rate, time left, phase. */
export function progressLine(progress: JobProgress, columns: number): string {
  const { percent_complete: percent, total_bytes: total, estimated_remaining: left, bytes_per_second: rate } = progress
  const parts = [
    percent === null ? undefined : `${bar(percent)} ${percent.toFixed(0).padStart(3)}%`,
    total === null ? someBytes(progress.bytes_downloaded) : `${bytesText(progress.bytes_downloaded)} of ${bytesText(total)}`,
    rate > 0 ? `${bytesText(rate)}/s` : undefined,
    left === null ? undefined : `eta ${secondsText(left)}`,
    printable(progress.phase),
  ]
  return clipped(parts.filter((part) => part !== undefined).join('  '), Math.max(20, columns - 1))
}

function someBytes(bytes: number): string | undefined {
  return bytes === 0 ? undefined : bytesText(bytes)
}

function bar(percent: number): string {
  const full = Math.round((Math.min(100, Math.max(0, percent)) / 100) * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}
