const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }

/** `"256MiB"` in bytes, rounded down; undefined when it is not a size. */
export function sizeBytes(text: string): number | undefined {
  return quantity(text, sizeUnits)
}

/** `"30s"` in milliseconds; undefined when it is not a duration. */
export function durationMs(text: string): number | undefined {
  return quantity(text, durationUnits)
}

function quantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]+)$/.exec(text)
  const name = match?.[2] ?? ''
  const unit = Object.hasOwn(units, name) ? units[name] : undefined
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit)
}
