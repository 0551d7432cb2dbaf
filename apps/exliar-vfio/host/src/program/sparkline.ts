const bars = '▁▂▃▄▅▆▇█'

/** The newest values, so many at most, as bars from the least to the most of them; the least is 0 unless some are below. */
export function sparkline(values: readonly number[], most: number): string {
  const shown = values.slice(-most)
  const least = Math.min(0, ...shown)
  const height = Math.max(...shown, 0) - least || 1
  return shown.map((value) => bars[Math.min(bars.length - 1, Math.floor(((value - least) / height) * bars.length))]).join('')
}
