/** One way to call an echo at the other end of a channel. */
export interface Contestant {
  readonly name: string
  readonly call: (value: unknown) => Promise<unknown>
  readonly close: () => PromiseLike<void> | void
}

let made = 0

/** About 120 bytes of JSON, as a listing's row looks; a new one each time, because a clone counts equal objects once. */
export function smallValue(): unknown {
  const id = `vm-${String(made++ % 10_000)}`
  return { id, name: 'web-server-17', status: 'running', cpus: 4, memory_mb: 8192, tags: ['prod', 'eu'], ip: '10.0.0.17' }
}

/** Calls per second with `inFlight` callers, each awaiting its answer before it calls again. */
export async function throughput(contestant: Contestant, inFlight: number, calls: number): Promise<number> {
  let left = calls
  const caller = async (): Promise<void> => {
    while (left-- > 0) await contestant.call(smallValue())
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: inFlight }, caller))
  return calls / ((performance.now() - start) / 1000)
}

/** Median microseconds of one call at a time. `next` makes what is sent; it is given the last answer. */
export async function latencyUs(
  contestant: Contestant,
  calls: number,
  next: (answer: unknown) => unknown = smallValue,
): Promise<number> {
  const times: number[] = []
  let answer: unknown
  for (let at = 0; at < calls; at++) {
    const sent = next(answer)
    const start = performance.now()
    answer = await contestant.call(sent)
    times.push((performance.now() - start) * 1000)
  }
  return median(times)
}

/** The same mebibyte again and again: making one costs more than handing it over. */
export function sameMegabyte(answer: unknown): unknown {
  return answer ?? new Uint8Array(1024 * 1024)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Measures every contestant in every round, in shuffled order, and answers each one's medians. */
export async function interleaved(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (contestant: Contestant) => Promise<number>,
): Promise<Map<string, number>> {
  const samples = new Map(contestants.map((one) => [one.name, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const one of contestants.toSorted(() => Math.random() - 0.5)) samples.get(one.name)?.push(await measure(one))
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]))
}

/** A target of the product and what was measured. */
export interface Ratio {
  readonly name: string
  readonly value: number
  readonly target: string
  readonly met: boolean
}

export function atLeast(name: string, value: number, least: number): Ratio {
  return { name, value: rounded(value), target: `>= ${String(least)}`, met: value >= least }
}

export function atMost(name: string, value: number, most: number): Ratio {
  return { name, value: rounded(value), target: `<= ${String(most)}`, met: value <= most }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

/** Prints tables and ratios, or one JSON document with `--json`. */
export function print(
  title: string,
  tables: Readonly<Record<string, ReadonlyMap<string, number>>>,
  ratios: readonly Ratio[],
): void {
  if (process.argv.includes('--json')) {
    const numbers = Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, Object.fromEntries(rows)]))
    console.log(JSON.stringify({ title, numbers, ratios }, undefined, 2))
    return
  }
  console.log(title)
  for (const [name, rows] of Object.entries(tables)) {
    console.log(`\n  ${name}`)
    for (const [who, value] of rows) console.log(`    ${who.padEnd(44)} ${value.toFixed(value < 100 ? 1 : 0).padStart(10)}`)
  }
  console.log('\n  ratios')
  for (const { name, value, target, met } of ratios) {
    console.log(`    ${name.padEnd(60)} ${value.toFixed(2).padStart(7)}  ${target.padEnd(8)} ${met ? 'met' : 'MISSED'}`)
  }
}
